import { setTimeout as wait } from 'node:timers/promises';
import type { DatabaseClock } from '../db/clock.ts';
import { failureOf } from '../db/failures.ts';
import { Problem } from '../http/problem.ts';
import { firstBuckets, sizeOf } from '../rollout/ranges.ts';
import type { Moment, Rollout } from '../timeline/facts.ts';
import { momentOf } from '../timeline/revision.ts';
import type { DefinitionsStore, SegmentDefinitions, SegmentRecord } from './definitions.store.ts';
import type { Member, MembersStore } from './members.store.ts';
import type { SegmentsStore } from './segments.store.ts';

export interface SegmentAnswer {
  readonly segment: SegmentRecord;
  /** That of the change, or of the last one it rests on where nothing changed. */
  readonly revision: number;
}

export interface CountedSegment {
  readonly segment: SegmentRecord;
  /** How many are in by hand. */
  readonly members: number;
}

export type SegmentsService = ReturnType<typeof segmentsService>;

/** What is to be written, decided on one version of the definitions, and the segment as it will then be. */
type Change =
  | { readonly apply: (version: number) => Promise<number | null>; readonly after: (at: Moment) => SegmentRecord }
  | { readonly unchanged: SegmentRecord };

/** How long a change of definitions is tried against other changes and busy writers before 503 `definitions_busy`. */
const patienceMs = 5_000;

export function segmentsService(
  definitions: DefinitionsStore,
  segments: SegmentsStore,
  members: MembersStore,
  clock: DatabaseClock,
  /** Called after each commit. */
  onCommit?: () => void,
) {
  /** Runs a change on the definitions as they stand, again when others came first. The answer is the segment as it left it. */
  const changing = async (decide: (current: SegmentDefinitions) => Change): Promise<SegmentAnswer> => {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      const current = await definitions.current();
      const change = decide(current);
      if ('unchanged' in change) return { segment: change.unchanged, revision: current.revision };
      const revision = await change.apply(current.version).catch((error: unknown) => {
        if (failureOf(error) === 'overloaded') return null;
        throw error;
      });
      if (revision !== null) {
        onCommit?.();
        return { segment: change.after(momentOf(revision)), revision };
      }
      if (performance.now() > giveUpAt)
        throw new Problem('definitions_busy', `The change was tried for ${patienceMs} ms. Nothing was changed.`);
      await wait(Math.random() * 20);
    }
  };

  const counted = async (listed: readonly SegmentRecord[]): Promise<CountedSegment[]> => {
    const counts = await members.count(
      listed.map(({ id }) => id),
      clock.now(),
    );
    return listed.map((segment) => ({ segment, members: counts.get(segment.id) ?? 0 }));
  };

  return {
    /** As it stands; 404 `segment_not_found`. */
    async find(slug: string): Promise<CountedSegment> {
      const [found] = await counted([living(await definitions.current(), slug)]);
      return found!;
    },

    /** The living ones with a slug after `after` that starts with `prefix`, in byte order. */
    async list({ prefix, after, limit }: { prefix: string; after: string; limit: number }): Promise<CountedSegment[]> {
      const current = await definitions.current();
      const page = current.segments
        .filter(({ slug, deletedAt }) => deletedAt === Infinity && slug > after && slug.startsWith(prefix))
        .sort((a, b) => (a.slug < b.slug ? -1 : 1))
        .slice(0, limit);
      return counted(page);
    },

    /** Those in by hand now, with an id after `after`, in byte order. 404 `segment_not_found`. */
    async members(slug: string, after: string, limit: number): Promise<Member[]> {
      const { id } = living(await definitions.current(), slug);
      return members.list(id, clock.now(), after, limit);
    },

    /** Takes the first `buckets` of the 10,000. The salt defaults to the slug. 409 `segment_exists`. */
    async create(
      wanted: { slug: string; description: string; salt?: string; buckets: number },
      by: string,
    ): Promise<SegmentAnswer> {
      const { slug, description, salt = slug, buckets } = wanted;
      const ranges = firstBuckets(buckets);
      return changing((current) => {
        // Others may create it meanwhile, but not unseen: the version of the definitions would be another.
        if (livingOf(current, slug)) throw new Problem('segment_exists', `A segment ${slug} exists.`);
        return {
          apply: (version) => segments.insert(version, { slug, description, salt, ranges }, by),
          after: (at) => ({
            id: NaN, // it has one, which nobody needs here
            slug,
            description,
            salt,
            exclusiveGroup: null,
            createdAt: at,
            createdBy: by,
            updatedAt: at,
            deletedAt: Infinity,
            deletedBy: null,
            rollouts: [{ startsAt: at, endsAt: Infinity, ranges, changedBy: by }],
          }),
        };
      });
    },

    /** What is left out, or is as it was, stays; where nothing differs nothing is written. 404 `segment_not_found`. */
    change: (slug: string, wanted: { description?: string; buckets?: number }, by: string): Promise<SegmentAnswer> =>
      changing((current) => {
        const segment = living(current, slug);
        const { ranges } = segment.rollouts.at(-1)!;
        const { description = segment.description, buckets = sizeOf(ranges) } = wanted;
        const isNewText = description !== segment.description;
        const isNewPercent = buckets !== sizeOf(ranges);
        if (!isNewText && !isNewPercent) return { unchanged: segment };
        const change = { description: isNewText ? description : null, ranges: isNewPercent ? firstBuckets(buckets) : null };
        return {
          apply: (version) => segments.update(version, segment.id, change, by),
          after: (at) => ({
            ...segment,
            description,
            updatedAt: at,
            rollouts: change.ranges
              ? replaced(segment.rollouts, { startsAt: at, endsAt: Infinity, ranges: change.ranges, changedBy: by })
              : segment.rollouts,
          }),
        };
      }),

    /** Takes every user out of it at that moment. Answers the revision. 404 `segment_not_found`. */
    async delete(slug: string, by: string): Promise<number> {
      const { revision } = await changing((current) => {
        const segment = living(current, slug);
        return {
          apply: (version) => segments.delete(version, segment.id, by),
          after: (at) => ({ ...segment, deletedAt: at, deletedBy: by, updatedAt: at }),
        };
      });
      return revision;
    },
  };
}

/** Each rollout begins where the one before ends. */
const replaced = (rollouts: readonly Rollout[], next: Rollout): Rollout[] => [
  ...rollouts.slice(0, -1),
  { ...rollouts.at(-1)!, endsAt: next.startsAt },
  next,
];

function living(definitions: SegmentDefinitions, slug: string): SegmentRecord {
  const segment = livingOf(definitions, slug);
  if (!segment) throw new Problem('segment_not_found', `There is no segment ${slug}.`);
  return segment;
}

/** Nobody deletes ahead of time, so the newest life lives if it has no end. */
const livingOf = (definitions: SegmentDefinitions, slug: string): SegmentRecord | undefined =>
  definitions.bySlug.get(slug)?.findLast(({ deletedAt }) => deletedAt === Infinity);
