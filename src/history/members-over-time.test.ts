import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, earlier } from '../../test/support/aging.ts';
import { startApp } from '../../test/support/app.ts';
import { cloneDatabase } from '../../test/support/database.ts';
import { houseOf } from '../../test/support/housekeeping.ts';
import { randomFacts, record } from '../../test/support/recorded.ts';
import { settledStore } from '../reading/settled.store.ts';
import { definitionsStore } from '../segments/definitions.store.ts';
import { livesAt } from '../timeline/definitions.ts';
import type { Facts, Moment } from '../timeline/facts.ts';
import { pairOf, standingAt } from '../timeline/pair.ts';
import { membersOverTimeService, spread } from './members-over-time.service.ts';
import { membersOverTimeStore } from './members-over-time.store.ts';

const { as, call, database } = await startApp();
const timeline = (slug: string, query: string) => as('read')('GET', `/v1/segments/${slug}/timeline?${query}`);
const minute = 60;

test('tells how many were in by hand at each of the moments, both ends included', async () => {
  for (const slug of ['A', 'RATED']) await call('POST', '/v1/segments', { slug, percent: slug === 'RATED' ? 100 : 0 });
  for (const userId of ['1', '2', '3']) {
    const ttl = userId === '2' ? { ttl_seconds: 2 * minute } : {};
    assert.equal((await call('PATCH', `/v1/users/${userId}/segments`, { add: ['A'], ...ttl })).status, 200);
  }
  const begun = (await call('PATCH', '/v1/users/4/segments', { add: ['A'], remove: ['RATED'] })).body.as_of as string;
  await age(database, 10 * minute);
  await call('DELETE', '/v1/segments/A');
  await age(database, 10 * minute);
  const { status, body } = await timeline('A', `from=${earlier(begun, 21 * minute)}&to=${earlier(begun, -minute)}&points=23`);
  assert.equal(status, 200);
  const { points } = body as { points: { at: string; members: number }[] };
  assert.equal(points[0]!.at, earlier(begun, 21 * minute));
  // In the future: the last one is where everything is final.
  assert.ok(Date.parse(points.at(-1)!.at) > Date.parse(begun) && Date.parse(points.at(-1)!.at) <= Date.now());
  assert.deepEqual(
    points.map(({ members }) => members),
    [0, 0, 4, 4, ...Array.from({ length: 8 }, () => 3), ...Array.from({ length: 11 }, () => 0)],
  );
  const [before, at] = [earlier(begun, 20 * minute + 0.001), earlier(begun, 20 * minute)];
  assert.deepEqual((await timeline('A', `from=${before}&to=${at}&points=2`)).body, {
    points: [
      { at: before, members: 3 },
      { at, members: 4 },
    ],
  });
  const none = await timeline('RATED', `from=${earlier(begun, 20 * minute)}&to=${begun}`);
  assert.deepEqual(
    [none.body.points.length, none.body.points.some(({ members }: { members: number }) => members > 0)],
    [100, false],
  );
});

for (const [query, path] of [
  ['to=2026-01-01T00:00:00Z', 'from'],
  ['from=2026-01-01T00:00:00Z', 'to'],
  ['from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z', 'to'],
  ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'to'],
  ['from=9998-01-02T00:00:00Z&to=9999-01-01T00:00:00Z', 'from'],
  ['from=2026-01-01&to=2026-01-02T00:00:00Z', 'from'],
  ['from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&points=1', 'points'],
  ['from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&points=1001', 'points'],
  ['from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&step=1', 'step'],
] as const) {
  test(`a timeline of ${query} is refused for its ${path}`, async () => {
    const { status, body } = await timeline('RATED', query);
    assert.deepEqual([status, body.code, body.errors[0].path], [400, 'invalid_request', path]);
  });
}

test('counts once whoever is in by a plan that took over what had no end', async () => {
  await call('POST', '/v1/segments', { slug: 'PLANNED' });
  const change = (body: object) => call('PATCH', '/v1/users/1/segments', { add: ['PLANNED'], ...body });
  const { as_of: begun } = (await change({})).body;
  const at = (seconds: number) => earlier(begun, -seconds);
  assert.equal((await change({ starts_at: at(minute), expires_at: at(2 * minute) })).status, 200);
  await age(database, 10 * minute);
  const { body } = await timeline('PLANNED', `from=${at(-10.5 * minute)}&to=${at(-7.5 * minute)}&points=4`);
  assert.deepEqual(
    body.points.map(({ members }: { members: number }) => members),
    [0, 1, 1, 0],
  );
});

test('a slug that no segment ever bore has no timeline, and one from before what is kept is refused', async () => {
  const query = 'from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z';
  assert.equal((await timeline('NEVER', query)).body.code, 'segment_not_found');
  await database.pool.query(`update history_kept set kept_from = '2026-01-01T00:00:00.001Z'`);
  assert.equal((await timeline('RATED', query)).body.code, 'history_dropped');
  assert.equal((await timeline('RATED', query.replace('00Z', '00.001Z'))).status, 200);
});

const firstSeed = Number(process.env.MODEL_SEED ?? 1);

test(`counts what counting user by user does, whatever happened and wherever its rows lie (MODEL_SEED=${firstSeed})`, async () => {
  const other = await cloneDatabase();
  const now = Date.now();
  const all = Array.from({ length: 30 }, (_, i) => randomFacts(firstSeed + i, now));
  for (const facts of all) await record(other, facts);
  const definitions = definitionsStore(other);
  const members = membersOverTimeService({ definitions, settled: settledStore(other), counts: membersOverTimeStore(other) });
  const compare = async () => {
    let [points, counted] = [0, 0];
    for (const facts of all) {
      // At all moments at which something happens, and at those next to them.
      const moments = facts.stays.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]).filter((at) => at < now);
      if (moments.length === 0) continue;
      for (const slug of new Set(facts.definitions.segments.map((one) => one.slug))) {
        for (const [from, to] of [[Math.min(...moments), now] as const, ...moments.map((at) => [at - 1, at + 1] as const)]) {
          const told = await members.between(slug, { from, to }, to - from === 2 ? 3 : 40);
          for (const { at, members: count } of told) {
            assert.equal(count, countOf(facts, slug, at), `${slug} at ${at}`);
            points++;
            counted += count;
          }
        }
      }
    }
    assert.ok(points > 1_000 && counted > 100, `${points} points, ${counted} members`);
  };
  await compare();
  await houseOf(other, { only: /stays/ }).tidy();
  await compare();
});

/** Each of these histories is of one user. */
function countOf(facts: Facts, slug: string, at: Moment): number {
  const life = facts.definitions.segments.find((segment) => segment.slug === slug && livesAt(segment, at));
  const stay = life && standingAt(pairOf(facts, life), at).stay;
  return stay && !stay.excluded ? 1 : 0;
}

test('moments are as far apart as whole milliseconds allow', () => {
  assert.deepEqual(spread(10, 20, 3), [10, 15, 20]);
  assert.deepEqual(spread(0, 10, 4), [0, 3, 7, 10]);
  assert.deepEqual(spread(0, 1, 3), [0, 1, 1]);
});

test('counts a life of the slug that begins while what is under way is waited for', async () => {
  await call('POST', '/v1/segments', { slug: 'AGAIN' });
  await call('DELETE', '/v1/segments/AGAIN');
  const settled = settledStore(database);
  const upToNow = async (to?: Moment) => {
    await call('POST', '/v1/segments', { slug: 'AGAIN' });
    await call('PATCH', '/v1/users/again/segments', { add: ['AGAIN'] });
    return settled.upToNow(to);
  };
  const service = membersOverTimeService({
    definitions: definitionsStore(database),
    settled: { ...settled, upToNow },
    counts: membersOverTimeStore(database),
  });
  const [from, to] = [Date.now() - 60_000, Date.now() + 60_000];
  const points = await service.between('AGAIN', { from, to }, 2);
  assert.deepEqual(
    points.map(({ members }) => members),
    [0, 1],
  );
});

test('a period yet to come is refused before a slug that no segment bore is', async () => {
  const { status, body } = await timeline('NOWHERE', 'from=9998-01-01T00:00:00Z&to=9999-01-01T00:00:00Z');
  assert.deepEqual([status, body.code], [400, 'invalid_request']);
});
