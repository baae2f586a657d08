import type { Random } from './random.ts';
import type { Operation, Wish } from './requests.ts';

/** Names of nothing that is in the database of a run. */
export const nowhere = 'nowhere-at-all';

/** Whether what is asked for could change something, if it were valid. */
export const isMutating = (method: string): boolean => !['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method);

/** What makes a request invalid whatever else is in it. */
export interface Poison {
  /** Of the valid request, before it is mutated. */
  before(wish: Wish): void;
  /** Of the mutated one: what is refused must not be mutated away. */
  after(wish: Wish): void;
  /** Whether the path and the method must stay as they are. */
  readonly keepsTarget: boolean;
}

const leave = () => {};

/** Every route refuses a parameter that it does not know (order.test.ts asks each), once the body has been looked at. */
const unknownParameter: Poison = {
  before: leave,
  after: (wish) => void wish.query.unshift('poison=1'),
  keepsTarget: false,
};

/** What is asked of something that does not exist: a 404 at the end, after all that is decided before. */
const noSuchTarget = (operation: Operation): Poison => ({
  before(wish) {
    wish.segments = operation.path
      .slice(1)
      .split('/')
      .map((segment, i) => (/^\{(slug|id|name)\}$/.test(segment) ? nowhere : wish.segments[i]!));
  },
  after: leave,
  keepsTarget: true,
});

/** A change of a user is refused whole where one of its segments does not exist. */
const noSuchSegment: Poison = {
  before: leave,
  after(wish) {
    try {
      const { add, ...rest } = JSON.parse(wish.body!.toString()) as { add: unknown[] };
      wish.body = Buffer.from(JSON.stringify({ add: [...add, nowhere], ...rest }));
    } catch {
      unknownParameter.after(wish); // what is no JSON, or has another form, or is too deep to be written again
    }
  },
  keepsTarget: true,
};

export function poisonOf(operation: Operation, random: Random): Poison {
  if (random.chance(50)) return unknownParameter;
  if (/\{(slug|id|name)\}/.test(operation.path)) return noSuchTarget(operation);
  return operation.body?.properties?.add ? noSuchSegment : unknownParameter;
}
