import { type Command, decide, type Decision } from '../timeline/decide.ts';
import { livesAt } from '../timeline/definitions.ts';
import type { Facts, Moment } from '../timeline/facts.ts';
import type { RejectReason } from './rows.ts';

/** What an import asks of each of its users. */
export interface ImportCommand {
  readonly operation: 'add' | 'remove' | 'replace';
  /** `Infinity` without a TTL. */
  readonly endsAt: Moment;
  readonly replaceInGroup: boolean;
  readonly createdBy: string;
  readonly createdAt: Moment;
}

/** `goes`: the user is one whom a replacing file lacks. */
export function commandFor(
  slug: string,
  { operation, endsAt, replaceInGroup, createdBy, createdAt }: ImportCommand,
  goes: boolean,
): Command {
  const isAdding = operation !== 'remove' && !goes;
  return {
    add: isAdding ? [slug] : [],
    remove: isAdding ? [] : [slug],
    start: null,
    end: endsAt === Infinity || !isAdding ? { kind: 'never' } : { kind: 'at', moment: endsAt },
    replaceInGroup: isAdding && replaceInGroup,
    ...(operation === 'replace' ? { replacement: createdAt } : {}),
    actor: createdBy,
    cause: 'import',
  };
}

/** What becomes of one row. */
export type RowDecision =
  | { readonly kind: 'change'; readonly decision: Decision }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'rejected'; readonly reason: RejectReason }
  | { readonly kind: 'segment_deleted' };

/**
 * Decides rows of an import into a segment one after the other, by the same rules as anybody's change of one user. The
 * command names a slug, which another segment may have by now: the file was not sent for that one. Where the segment is in
 * no exclusive group the id of the user changes nothing, and rows that lie together mostly have the same stays, the very
 * same array: then the decision is that of the row before.
 */
export function rowDecider(command: Command, segmentId: number): (facts: Facts, moment: Moment) => RowDecision {
  let last: { facts: Facts; moment: Moment; decided: RowDecision } | undefined;
  return (facts, moment) => {
    const { stays, definitions } = facts;
    if (last && last.facts.stays === stays && last.facts.definitions === definitions && last.moment === moment)
      return last.decided;
    const decided = decideRow(facts, command, segmentId, moment);
    const isAlone = definitions.segments.every(({ exclusiveGroup }) => exclusiveGroup === null);
    last = isAlone ? { facts, moment, decided } : undefined;
    return decided;
  };
}

function decideRow(facts: Facts, command: Command, segmentId: number, moment: Moment): RowDecision {
  const segment = facts.definitions.byId.get(segmentId);
  if (!segment || !livesAt(segment, moment)) return { kind: 'segment_deleted' };
  const decision = decide(facts, command, moment);
  if (!('refused' in decision)) {
    const isChange = decision.endings.length + decision.beginnings.length > 0;
    return isChange ? { kind: 'change', decision } : { kind: 'unchanged' };
  }
  const { refused } = decision;
  if (refused === 'group_conflict') return { kind: 'rejected', reason: 'group_conflict' };
  if (refused === 'end_not_future') return { kind: 'rejected', reason: 'expired' };
  throw new Error(`a row of an import was refused: ${refused}`); // a file plans nothing, and its end was checked
}
