import type { Database } from '../../src/db/database.ts';
import { momentText } from '../../src/db/moments.ts';
import { rangesText } from '../../src/segments/definitions.store.ts';
import { indexDefinitions } from '../../src/timeline/definitions.ts';
import type { Facts, Moment } from '../../src/timeline/facts.ts';
import { runCore } from '../model/core-run.ts';
import { randomHistory, randomSource } from '../model/random-history.ts';

const hour = 3_600_000;

/**
 * The facts of a user that a random history leaves, an hour for each of its seconds, in the middle of the hour that runs: so
 * much of it lies in the past, the rest is foreseen, and nothing happens within the next half hour.
 */
export function randomFacts(seed: number, now: Moment): Facts {
  const past = 20 + randomSource(seed).below(50);
  const { facts } = runCore(
    randomHistory(seed).filter(({ at }) => at <= past),
    (limit) => limit - 1,
  );
  const from = now - past * hour - hour / 2;
  const at = (moment: Moment) => (moment === Infinity ? moment : from + (moment / 1000) * hour);
  const own = (name: string) => `${name}-${seed}`;
  const ids = new Map(facts.definitions.segments.map(({ id }, i) => [id, seed * 1000 + i]));
  const segments = facts.definitions.segments.map((segment) => ({
    ...segment,
    id: ids.get(segment.id)!,
    slug: own(segment.slug),
    exclusiveGroup: segment.exclusiveGroup && own(segment.exclusiveGroup),
    createdAt: at(segment.createdAt),
    deletedAt: at(segment.deletedAt),
    rollouts: segment.rollouts.map((one) => ({ ...one, startsAt: at(one.startsAt), endsAt: at(one.endsAt) })),
  }));
  const stays = facts.stays.map((stay) => ({
    ...stay,
    segmentId: ids.get(stay.segmentId)!,
    startsAt: at(stay.startsAt),
    endsAt: at(stay.endsAt),
    since: at(stay.since),
  }));
  return { userId: own('user'), revision: (now - hour) * 1000, definitions: indexDefinitions(1, 0, segments), stays };
}

/** Writes such facts into a database as a service would have left them: what nobody has ended lies among the current ones. */
export async function record({ pool }: Database, { userId, revision, definitions, stays }: Facts): Promise<void> {
  for (const one of definitions.segments) {
    const moments = [one.createdAt, one.deletedAt].map(momentText);
    await pool.query(
      `insert into segments (segment_id, slug, salt, exclusive_group, created_at, deleted_at, updated_at, created_by, deleted_by)
         overriding system value values ($1, $2, $3, $4, $5, $6, $5, $7, $8)`,
      [one.id, one.slug, one.salt, one.exclusiveGroup, ...moments, one.createdBy, one.deletedBy],
    );
    for (const { startsAt, endsAt, ranges, changedBy } of one.rollouts) {
      const values = [one.id, momentText(startsAt), momentText(endsAt), rangesText(ranges), changedBy];
      await pool.query(`insert into rollouts values ($1, $2, $3, $4, $5)`, values);
    }
  }
  await pool.query(`update definitions set version = version + 1`);
  const known = new Date(Math.min(...stays.map(({ startsAt }) => startsAt), revision! / 1000));
  await pool.query(`insert into users values ($1, $2, $3)`, [userId, known, revision]);
  for (const stay of stays) {
    const moments = [stay.startsAt, stay.endsAt, stay.since].map(momentText);
    const values = [userId, stay.segmentId, ...moments, stay.excluded, stay.begunBy, stay.begunCause];
    if (stay.endedCause === null) {
      await pool.query(`insert into memberships values ($1, $2, $3, $4, $5, $6, $7, $8)`, values);
    } else {
      const ended = [...values, stay.endedBy, stay.endedCause];
      await pool.query(`insert into past_memberships values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, ended);
    }
  }
}
