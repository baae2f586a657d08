import type { Ranges } from '../rollout/ranges.ts';
import { livesAt, rolloutAt } from './definitions.ts';
import type { Definitions, Moment, Segment } from './facts.ts';

/** What the definitions come to from one moment until another: nothing of them begins, ends or changes in between. */
export interface View {
  readonly definitions: Definitions;
  readonly from: Moment;
  /** Not included. */
  readonly until: Moment;
  /** By segment id: the slug of a segment that lives. */
  readonly slugs: readonly (string | undefined)[];
  /** By segment id: the exclusive group of a segment that lives and has one. */
  readonly groups: readonly (string | undefined)[];
  /** Of the living segments that take a percentage. Those with one salt stand together. */
  readonly rollouts: readonly LivingRollout[];
}

export interface LivingRollout {
  readonly id: number;
  readonly slug: string;
  readonly salt: string;
  readonly group: string | null;
  readonly ranges: Ranges;
}

/** Definitions as a present read needs them, worked out once for as long as they hold. */
export function viewAt(definitions: Definitions, moment: Moment): View {
  let [from, until] = [0, Infinity];
  const bound = (change: Moment) => {
    if (change > moment) until = Math.min(until, change);
    else from = Math.max(from, change);
  };
  const length = definitions.segments.reduce((least, { id }) => Math.max(least, id + 1), 0);
  const slugs: (string | undefined)[] = Array.from({ length });
  const groups: (string | undefined)[] = Array.from({ length });
  const rollouts: LivingRollout[] = [];
  for (const segment of definitions.segments) {
    for (const change of momentsOf(segment)) bound(change);
    if (!livesAt(segment, moment)) continue;
    const { id, slug, salt, exclusiveGroup: group } = segment;
    slugs[id] = slug;
    if (group !== null) groups[id] = group;
    const ranges = rolloutAt(segment, moment)?.ranges;
    if (ranges && ranges.length > 0) rollouts.push({ id, slug, salt, group, ranges });
  }
  const bySalt = Map.groupBy(rollouts, ({ salt }) => salt);
  return { definitions, from, until, slugs, groups, rollouts: [...bySalt.values()].flat() };
}

/** The view for a moment, the one given where it still holds. */
export const viewFor = (known: View | undefined, definitions: Definitions, moment: Moment): View =>
  known && known.definitions === definitions && moment >= known.from && moment < known.until
    ? known
    : viewAt(definitions, moment);

const momentsOf = ({ createdAt, deletedAt, rollouts }: Segment): Moment[] => [
  createdAt,
  deletedAt,
  ...rollouts.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]),
];
