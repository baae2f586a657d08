import { parseSync } from 'oxc-parser';
import type { Mutant } from './mutant.ts';

/** A node of the syntax tree (ESTree), as far as it is looked at. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** Each operator and what is put in its place: the boundary moved, the answer turned round. */
const operators: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '&&': ['||'],
  '||': ['&&'],
  '??': ['&&'],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '&': ['|'],
  '|': ['&'],
  '^': ['&'],
  '<<': ['>>>'],
  '>>>': ['<<'],
  '>>': ['<<'],
};

const methods: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  find: 'findLast',
  findLast: 'find',
  findIndex: 'findLastIndex',
  findLastIndex: 'findIndex',
  max: 'min',
  min: 'max',
};

/** Methods without which the list stays as it was. */
const leftOut = new Set(['filter', 'toSorted', 'sort', 'toReversed', 'slice']);

/** The mutants of a TypeScript source, in the order of their places. Types and texts of messages have none. */
export function typescriptMutants(path: string, text: string): Mutant[] {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]!.message}`);
  const mutants: Mutant[] = [];
  visit(program as unknown as Node, (node) => mutants.push(...mutantsAt(node, text)));
  return mutants.sort((a, b) => a.start - b.start);
}

function visit(node: Node, see: (node: Node) => void): void {
  if (node.type.startsWith('TS') && !('expression' in node)) return;
  see(node);
  for (const [field, value] of Object.entries(node)) {
    if (field === 'typeAnnotation' || field === 'typeArguments') continue;
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, see);
  }
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'type' in value;

function mutantsAt(node: Node, text: string): Mutant[] {
  const of = (part: unknown) => text.slice((part as Node).start, (part as Node).end);
  const whole = (...instead: string[]) => instead.map((one) => ({ start: node.start, end: node.end, instead: one }));
  switch (node.type) {
    case 'BinaryExpression':
    case 'LogicalExpression':
      return operatorMutants(node, text);
    case 'UnaryExpression':
      return node.operator === '!' || node.operator === '-' ? whole(of(node.argument)) : [];
    case 'ConditionalExpression':
      return whole(`(${of(node.consequent)})`, `(${of(node.alternate)})`);
    case 'IfStatement': {
      const { start, end } = node.test as Node;
      return ['true', 'false'].map((instead) => ({ start, end, instead }));
    }
    case 'Literal':
      if (typeof node.value === 'boolean') return whole(String(!node.value));
      return typeof node.value === 'number' ? whole(String(node.value + 1)) : [];
    case 'Identifier':
      return node.name === 'Infinity' ? whole('-Infinity') : [];
    case 'ExpressionStatement':
    case 'ContinueStatement':
      return whole(';');
    case 'CallExpression':
      return callMutants(node, text);
    default:
      return [];
  }
}

function operatorMutants(node: Node, text: string): Mutant[] {
  const [left, right, operator] = [node.left as Node, node.right as Node, node.operator as string];
  const start = text.indexOf(operator, left.end);
  if (start < 0 || start >= right.start) throw new Error(`there is no ${operator} between ${left.end} and ${right.start}`);
  return (operators[operator] ?? []).map((instead) => ({ start, end: start + operator.length, instead }));
}

function callMutants(node: Node, text: string): Mutant[] {
  const callee = node.callee as Node;
  if (callee.type !== 'MemberExpression') return [];
  const [object, property] = [callee.object as Node, callee.property as Node];
  const name = text.slice(property.start, property.end);
  if (leftOut.has(name)) return [{ start: object.end, end: node.end, instead: '' }];
  const instead = methods[name];
  return instead === undefined ? [] : [{ start: property.start, end: property.end, instead }];
}
