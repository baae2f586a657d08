import { setTimeout as wait } from 'node:timers/promises';
import { bucketCount } from '../rollout/bucket.ts';
import { inTurn } from '../memberships/in-turn.ts';
import type { DatabaseClock } from '../db/clock.ts';
import { failureOf } from '../db/failures.ts';
import { momentText } from '../http/moment.ts';
import { invalid, Problem } from '../http/problem.ts';
import { noBuckets, percentOf, sizeOf } from '../rollout/ranges.ts';
import type { Share } from '../rollout/taking.ts';
import { countBegun, livingOf, rolloutAt } from '../timeline/definitions.ts';
import type { Moment } from '../timeline/facts.ts';
import { momentOf } from '../timeline/revision.ts';
import type { DefinitionsStore, SegmentDefinitions, SegmentRecord } from './definitions.store.ts';
import type { KnownUsers, KnownUsersStore } from './known-users.store.ts';
import type { Member, MembersStore } from './members.store.ts';
import type { SegmentsStore } from './segments.store.ts';
import { type Preview, previewer } from './preview.ts';
import { matesIn, type NewRollouts, reshare, scheduledOf, withRows } from './shares.ts';

export interface SegmentAnswer {
  readonly segment: SegmentRecord;
  /** That of the change, or of the last one it rests on where nothing changed. */
  readonly revision: number;
  /** By which what is in force is told from what is to come. */
  readonly moment: Moment;
}

/** A percentage to be set, now or at a moment to come. */
export interface WantedShare {
  readonly buckets: number;
  readonly effectiveAt?: Moment;
}

export interface CountedSegment {
  readonly segment: SegmentRecord;
  readonly moment: Moment;
  /** How many are in by hand. */
  readonly members: number;
  /** How many known users its percentage takes, by its share alone. */
  readonly rolloutEstimate: number;
}

export type SegmentsService = ReturnType<typeof segmentsService>;

/** What is to be written, decided on one version of the definitions, and the segment as it will then be. */
type Change =
  | { readonly apply: () => Promise<number | null>; readonly after: (at: Moment) => SegmentRecord }
  | { readonly unchanged: SegmentRecord };

export interface NewSegmentWanted {
  readonly slug: string;
  readonly description: string;
  readonly salt?: string;
  readonly exclusiveGroup: string | null;
  readonly buckets: number;
}

export interface ListedSegments {
  readonly prefix: string;
  /** Only those of this exclusive group. */
  readonly group?: string;
  readonly after: string;
  readonly limit: number;
}

/** Ids that a preview reads at a time: some milliseconds of work, and memory that does not grow. */
const usersAtOnce = 5_000;

/** Previews that are made or wait for their turn. */
const maxPreviews = 10;

/** How long a change of definitions is tried against other changes and busy writers before 503 `definitions_busy`. */
const patienceMs = 5_000;

export function segmentsService(
  definitions: DefinitionsStore,
  segments: SegmentsStore,
  members: MembersStore,
  /** How many are in these segments by hand, as memory knows it; `undefined` where it does not. */
  heldCounts: (segmentIds: readonly number[]) => ReadonlyMap<number, number> | undefined,
  knownUsers: KnownUsersStore,
  clock: DatabaseClock,
  /** Called after each commit. */
  onCommit?: () => void,
) {
  /** A preview reads every known user, so one at a time is enough for a process. */
  const oneByOne = inTurn();
  let previews = 0;

  /** Runs a change on the definitions as they stand, again when others came first. The answer is the segment as it left it. */
  const changing = async (decide: (current: SegmentDefinitions, now: Moment) => Change): Promise<SegmentAnswer> => {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      const current = await definitions.current();
      // A change comes strictly after the last one, so it is decided for then at the earliest; and
      // for none at which a plan begins, so that it comes either before or after.
      let now = Math.max(clock.now(), momentOf(current.revision) + 1);
      while (current.segments.some(({ rollouts }) => rollouts.some(({ startsAt }) => startsAt === now))) now++;
      const change = decide(current, now);
      if ('unchanged' in change) return { segment: change.unchanged, revision: current.revision, moment: now };
      const sentAt = clock.mark();
      const revision = await change.apply().catch((error: unknown) => {
        if (failureOf(error) === 'overloaded') return null;
        throw error;
      });
      if (revision !== null) {
        clock.observe(revision, sentAt); // so that every reader judges by a moment at which the change counts
        onCommit?.();
        const moment = momentOf(revision);
        return { segment: change.after(moment), revision, moment };
      }
      if (performance.now() > giveUpAt)
        throw new Problem('definitions_busy', `The change was tried for ${patienceMs} ms. Nothing was changed.`);
      await wait(Math.random() * 20);
    }
  };

  const counted = async (listed: readonly SegmentRecord[]): Promise<CountedSegment[]> => {
    const moment = clock.now();
    const ids = listed.map(({ id }) => id);
    const [counts, known] = await Promise.all([heldCounts(ids) ?? members.count(ids, moment), knownUsers.count()]);
    return listed.map((segment) => {
      const share = sizeOf(rolloutAt(segment, moment)?.ranges ?? noBuckets) / bucketCount;
      return { segment, moment, members: counts.get(segment.id) ?? 0, rolloutEstimate: Math.round(share * known) };
    });
  };

  /** A new text, a new share from a moment on, or both. */
  const resharing = (
    segment: SegmentRecord,
    current: SegmentDefinitions,
    { description, share, now, by }: { description: string | null; share: Share | null; now: Moment; by: string },
  ): Change => {
    const mates = matesIn(current, segment.exclusiveGroup, segment);
    const room = share && roomFor(segment, mates, share, { now, by });
    const isNow = share?.at === now;
    /** The rows where what begins now begins at that moment. */
    const rowsFrom = <At extends Moment | null>(at: At) =>
      (room?.rows ?? []).map(({ startsAt, ranges, changedBy }) => ({
        startsAt: startsAt === now ? at : startsAt,
        ranges,
        changedBy,
      }));
    return {
      apply: () =>
        segments.update({ version: current.version, decidedAt: now, goodUntil: room?.goodUntil ?? Infinity }, segment.id, {
          description,
          rollouts: share && { after: isNow ? null : share.at, rows: rowsFrom(null) },
        }),
      after: (at) => ({
        ...segment,
        description: description ?? segment.description,
        updatedAt: at,
        rollouts: share ? withRows(segment.rollouts, isNow ? at : share.at, rowsFrom(at)) : segment.rollouts,
      }),
    };
  };

  /** `undefined`: the definitions of that snapshot are not to be had any more. */
  const previewOn = async (users: KnownUsers, slug: string, share: WantedShare): Promise<Preview | undefined> => {
    const current = await definitions.ofVersion(users.version, users.definitionsRevision);
    if (!current) return undefined;
    refusePast(share, users.now);
    const segment = living(current, slug);
    const at = share.effectiveAt ?? users.now;
    const mates = matesIn(current, segment.exclusiveGroup, segment);
    const { rows } = roomFor(segment, mates, { at, buckets: share.buckets }, { now: users.now, by: '' });
    const from = segment.rollouts.findLast(({ startsAt }) => startsAt < at)?.ranges ?? noBuckets;
    const to = rows[0]!.ranges;
    const preview = previewer({ segment, mates, from, to, at });
    const segmentIds = [segment, ...mates].map(({ id }) => id);
    const isMoved = sizeOf(from) !== sizeOf(to);
    for await (const ids of isMoved ? users.ids(usersAtOnce) : []) {
      const concerned = ids.filter(preview.concerns);
      if (concerned.length === 0) continue;
      const stays = await users.stays(concerned, segmentIds);
      for (const id of concerned) preview.judge(id, stays.get(id) ?? []);
    }
    const [has, gets] = [sizeOf(from), sizeOf(to)];
    return {
      slug,
      from: percentOf(from),
      to: percentOf(to),
      effectiveAt: share.effectiveAt ?? null,
      gained: Math.max(0, gets - has),
      lost: Math.max(0, has - gets),
      ...preview.movements(),
      asOf: users.asOf,
    };
  };

  return {
    /** As it stands; 404 `segment_not_found`. */
    async find(slug: string): Promise<CountedSegment> {
      const [found] = await counted([living(await definitions.current(), slug)]);
      return found!;
    },

    /** The living ones with a slug after `after` that starts with `prefix`, in byte order. */
    async list({ prefix, group, after, limit }: ListedSegments): Promise<CountedSegment[]> {
      const current = await definitions.current();
      const page = current.segments
        .filter(({ slug, deletedAt }) => deletedAt === Infinity && slug > after && slug.startsWith(prefix))
        .filter(({ exclusiveGroup }) => group === undefined || exclusiveGroup === group)
        .sort((a, b) => (a.slug < b.slug ? -1 : 1))
        .slice(0, limit);
      return counted(page);
    },

    /** Those in by hand now, with an id after `after`, in byte order. 404 `segment_not_found`. */
    async members(slug: string, after: string, limit: number): Promise<Member[]> {
      const { id } = living(await definitions.current(), slug);
      return members.list(id, clock.now(), after, limit);
    },

    /** Everybody who is in by hand at this moment, as CSV without a header. 404 `segment_not_found`. */
    async exportMembers(slug: string, gone: AbortSignal): Promise<AsyncIterable<Buffer>> {
      const { id } = living(await definitions.current(), slug);
      return members.export(id, clock.now(), gone);
    },

    /**
     * Takes so many buckets: of a ring of its own the first, of its group's the lowest free ones. The salt defaults to the
     * slug; in a group it is the group's name. 409 `segment_exists`, `group_full`.
     */
    async create(wanted: NewSegmentWanted, by: string): Promise<SegmentAnswer> {
      const { slug, description, exclusiveGroup, buckets } = wanted;
      const salt = exclusiveGroup ?? wanted.salt ?? slug;
      if (wanted.salt !== undefined && wanted.salt !== salt)
        throw invalid('salt', `must be left out in an exclusive group, or be its name, ${salt}; got ${wanted.salt}.`);
      return changing((current, now) => {
        // Others may create it meanwhile, but not unseen: the version of the definitions would be another.
        if (livingOf(current, slug)) throw new Problem('segment_exists', `A segment ${slug} exists.`);
        const { rows, goodUntil } = roomFor(null, matesIn(current, exclusiveGroup), { at: now, buckets }, { now, by });
        const { ranges } = rows[0]!;
        return {
          apply: () =>
            segments.insert(
              { version: current.version, decidedAt: now, goodUntil },
              { slug, description, salt, exclusiveGroup, ranges },
              by,
            ),
          after: (at) => ({
            id: NaN, // it has one, which nobody needs here
            slug,
            description,
            salt,
            exclusiveGroup,
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

    /**
     * What is left out, or is as it was, stays; where nothing differs nothing is written. A share to come replaces one that
     * is planned for the same moment. 404 `segment_not_found`, 409 `group_full`.
     */
    change: (slug: string, wanted: { description?: string; share?: WantedShare }, by: string): Promise<SegmentAnswer> =>
      changing((current, now) => {
        if (wanted.share) refusePast(wanted.share, now);
        const segment = living(current, slug);
        const { description = segment.description, share } = wanted;
        const isNewText = description !== segment.description;
        const isNewShare = share !== undefined && !stands(segment, share, now);
        if (!isNewText && !isNewShare) return { unchanged: segment };
        return resharing(segment, current, {
          description: isNewText ? description : null,
          share: isNewShare ? { at: share.effectiveAt ?? now, buckets: share.buckets } : null,
          now,
          by,
        });
      }),

    /**
     * What setting a share would do to known users, exact for one moment; nothing is written. 404 `segment_not_found`, 409
     * `group_full`, 503 `overloaded` where ten are waited for.
     */
    async preview(slug: string, share: WantedShare): Promise<Preview> {
      if (previews >= maxPreviews)
        throw new Problem('overloaded', `${maxPreviews} previews are waited for already; ask again.`, { isRoutine: true });
      previews++;
      const making = oneByOne('previews', async () => {
        for (const giveUpAt = performance.now() + patienceMs; ;) {
          const preview = await knownUsers.read((users) => previewOn(users, slug, share));
          if (preview) return preview;
          if (performance.now() > giveUpAt)
            throw new Problem('definitions_busy', `The definitions changed at each try for ${patienceMs} ms.`);
        }
      });
      return making.finally(() => previews--);
    },

    /**
     * Takes back what is planned for that moment. 404 `segment_not_found`, `scheduled_change_not_found`; 409 `group_full`
     * where others count on what it would have freed.
     */
    cancel: (slug: string, plannedFor: Moment, by: string): Promise<SegmentAnswer> =>
      changing((current, now) => {
        const segment = living(current, slug);
        if (!scheduledOf(segment, now).some(({ startsAt }) => startsAt === plannedFor))
          throw new Problem('scheduled_change_not_found', `${slug} has no scheduled change of that id.`);
        return resharing(segment, current, { description: null, share: { at: plannedFor, buckets: null }, now, by });
      }),

    /** Takes every user out of it at that moment. Answers the revision. 404 `segment_not_found`. */
    async delete(slug: string, by: string): Promise<number> {
      const { revision } = await changing((current) => {
        const segment = living(current, slug);
        return {
          apply: () => segments.delete(current.version, segment.id, by),
          after: (at) => ({ ...segment, deletedAt: at, deletedBy: by, updatedAt: at }),
        };
      });
      return revision;
    },
  };
}

function refusePast({ effectiveAt }: WantedShare, now: Moment): void {
  if (effectiveAt !== undefined && effectiveAt <= now)
    throw invalid('effective_at', `must lie in the future; got ${momentText(effectiveAt)}.`);
}

/** Whether the segment has that share at that moment, or has planned just that for it. */
function stands({ rollouts }: SegmentRecord, { buckets, effectiveAt }: WantedShare, now: Moment): boolean {
  const known =
    effectiveAt === undefined
      ? rollouts[countBegun(rollouts, now) - 1]
      : rollouts.find(({ startsAt }) => startsAt === effectiveAt);
  return known !== undefined && sizeOf(known.ranges) === buckets;
}

/** As `reshare`, or 409 `group_full`. */
function roomFor(...asked: Parameters<typeof reshare>): NewRollouts {
  const room = reshare(...asked);
  if ('rows' in room) return room;
  const { free, holders } = room;
  const held = holders.map(({ slug, percent }) => `${slug} ${percent} %`).join(', ');
  const [, , { buckets }] = asked;
  const what = buckets === null ? 'What this would have freed is reserved' : `The group has ${free} % free from then on`;
  throw new Problem('group_full', `${what}; held or reserved: ${held}.`, { details: { free, holders } });
}

function living(definitions: SegmentDefinitions, slug: string): SegmentRecord {
  const segment = livingOf(definitions, slug);
  if (!segment) throw new Problem('segment_not_found', `There is no segment ${slug}.`);
  return segment;
}
