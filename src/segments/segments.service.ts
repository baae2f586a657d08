import { setTimeout as wait } from 'node:timers/promises';
import type { DatabaseClock } from '../db/clock.ts';
import { brokenConstraint, failureOf } from '../db/failures.ts';
import { Problem } from '../http/problem.ts';
import { firstBuckets, sizeOf } from '../rollout/ranges.ts';
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

/** How long a change of definitions is tried against other changes and busy writers before 503 `definitions_busy`. */
const patienceMs = 5_000;

export function segmentsService(
  definitions: DefinitionsStore,
  segments: SegmentsStore,
  members: MembersStore,
  clock: DatabaseClock,
) {
  /** Runs a change on the definitions as they stand, again when others came first. */
  const changing = async (
    attempt: (current: SegmentDefinitions) => Promise<number | null>,
  ): Promise<{ current: SegmentDefinitions; revision: number }> => {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      const { definitions: current } = await definitions.current();
      const revision = await attempt(current).catch((error: unknown) => {
        if (failureOf(error) === 'overloaded') return null;
        throw error;
      });
      if (revision !== null) return { current, revision };
      if (performance.now() > giveUpAt)
        throw new Problem('definitions_busy', `The change was tried for ${patienceMs} ms. Nothing was changed.`);
      await wait(Math.random() * 20);
    }
  };

  /** The life that began or was changed, as it is after the change of that revision. */
  const changed = async (
    id: (current: SegmentDefinitions) => SegmentRecord | undefined,
    revision: number,
  ): Promise<SegmentAnswer> => {
    const { definitions: current } = await definitions.current();
    return { segment: id(current)!, revision };
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
      const [found] = await counted([living((await definitions.current()).definitions, slug)]);
      return found!;
    },

    /** The living ones with a slug after `after` that starts with `prefix`, in byte order. */
    async list({ prefix, after, limit }: { prefix: string; after: string; limit: number }): Promise<CountedSegment[]> {
      const { definitions: current } = await definitions.current();
      const page = current.segments
        .filter(({ slug, deletedAt }) => deletedAt === Infinity && slug > after && slug.startsWith(prefix))
        .sort((a, b) => (a.slug < b.slug ? -1 : 1))
        .slice(0, limit);
      return counted(page);
    },

    /** Those in by hand now, with an id after `after`, in byte order. 404 `segment_not_found`. */
    async members(slug: string, after: string, limit: number): Promise<Member[]> {
      const { id } = living((await definitions.current()).definitions, slug);
      return members.list(id, clock.now(), after, limit);
    },

    /** Takes the first `buckets` of the 10,000. The salt defaults to the slug. 409 `segment_exists`. */
    async create(
      wanted: { slug: string; description: string; salt?: string; buckets: number },
      by: string,
    ): Promise<SegmentAnswer> {
      const { slug, description, salt = slug, buckets } = wanted;
      const { revision } = await changing(async (current) => {
        if (current.bySlug.get(slug)?.at(-1)?.deletedAt === Infinity)
          throw new Problem('segment_exists', `A segment ${slug} exists.`);
        return segments.insert(current.version, { slug, description, salt, ranges: firstBuckets(buckets) }, by);
      }).catch((error: unknown) => {
        if (brokenConstraint(error) !== 'segments_living_slug') throw error;
        throw new Problem('segment_exists', `A segment ${slug} exists.`, { cause: error });
      });
      return changed((current) => current.bySlug.get(slug)?.find(({ createdAt }) => createdAt === momentOf(revision)), revision);
    },

    /** What is left out, or is as it was, stays; where nothing differs nothing is written. 404 `segment_not_found`. */
    async change(slug: string, wanted: { description?: string; buckets?: number }, by: string): Promise<SegmentAnswer> {
      const { current, revision } = await changing(async (current) => {
        const segment = living(current, slug);
        const isNewText = wanted.description !== undefined && wanted.description !== segment.description;
        const isNewPercent = wanted.buckets !== undefined && wanted.buckets !== sizeOf(segment.rollouts.at(-1)!.ranges);
        if (!isNewText && !isNewPercent) return current.revision;
        const change = {
          description: isNewText ? wanted.description! : null,
          ranges: isNewPercent ? firstBuckets(wanted.buckets!) : null,
        };
        return segments.update(current.version, segment.id, change, by);
      });
      const { id } = living(current, slug);
      return changed((after) => after.byId.get(id), revision);
    },

    /** Takes every user out of it at that moment. Answers the revision. 404 `segment_not_found`. */
    async delete(slug: string, by: string): Promise<number> {
      const { revision } = await changing(async (current) => segments.delete(current.version, living(current, slug).id, by));
      return revision;
    },
  };
}

function living(definitions: SegmentDefinitions, slug: string): SegmentRecord {
  const segment = definitions.bySlug.get(slug)?.at(-1);
  if (segment?.deletedAt !== Infinity) throw new Problem('segment_not_found', `There is no segment ${slug}.`);
  return segment;
}
