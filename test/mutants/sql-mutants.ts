import type { Mutant } from './mutant.ts';

/** What a rule of a write function is made of, and what is put in its place. Whole words between spaces, so that names stay. */
const replacements: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/ and (?!v_\w+ :=)/g, ' or '],
  [/ or (?!replace )/g, ' and '],
  [/ < /g, ' <= '],
  [/ <= /g, ' < '],
  [/ > /g, ' >= '],
  [/ >= /g, ' > '],
  [/(?<![:<>]) = (?!any|all)/g, ' <> '],
  [/ <> (?!all)/g, ' = '],
  [/ is null/g, ' is not null'],
  [/ is not null/g, ' is null'],
  [/\bnot (?!null|exists)/g, ''],
  [/ \+ 1\b/g, ''],
  [/ - 1\b/g, ''],
  [/\bgreatest\(/g, 'least('],
  [/\bleast\(/g, 'greatest('],
  [/\bfor update\b[^;\n]*/g, ''],
  [/ for share\b[^;\n]*/g, ''],
  [/\bperform [^;]*;/g, 'null;'],
  [/(?<=^ *)(?:delete from|update|insert into) [^;]*;/gm, 'null;'], // not those within a statement
  [/\braise [^;]*;/g, 'null;'],
];

/**
 * The mutants of the functions of a migration, for those whose last definition it holds. `names`: those functions. Comments
 * have none.
 */
export function sqlMutants(text: string, names: readonly string[]): Mutant[] {
  const bodies = names.map((name) => bodyOf(text, name));
  const comments = [...text.matchAll(/--[^\n]*/g)].map(({ index, 0: comment }) => [index, index + comment.length] as const);
  const isComment = (at: number) => comments.some(([from, to]) => from <= at && at < to);
  const mutants = replacements.flatMap(([pattern, instead]) =>
    [...text.matchAll(pattern)].map(({ index, 0: found }) => ({ start: index, end: index + found.length, instead })),
  );
  return mutants
    .filter(({ start }) => bodies.some(([from, to]) => from <= start && start < to) && !isComment(start))
    .sort((a, b) => a.start - b.start);
}

/** The functions of these names as statements that replace them, for whoever wants to know whether PostgreSQL takes them. */
export const sqlFunctions = (text: string, names: readonly string[]): string[] =>
  names.map((name) => {
    const [opened, closed] = bodyOf(text, name);
    const head = text.slice(0, opened).lastIndexOf(`function ${name}(`);
    return `create or replace ${text.slice(head, closed)}$$`;
  });

/** From `create` to the end of the function's text between its dollar quotes. */
function bodyOf(text: string, name: string): readonly [from: number, to: number] {
  const from = text.search(new RegExp(`create (or replace )?function ${name}\\(`));
  const opened = text.indexOf('$$', from);
  const to = text.indexOf('$$', opened + 2);
  if (from < 0 || opened < 0 || to < 0) throw new Error(`there is no function ${name}`);
  return [opened, to];
}
