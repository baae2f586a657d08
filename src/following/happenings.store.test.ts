import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneDatabase, type TestDatabase } from '../../test/support/database.ts';
import { createSegment } from '../../test/support/functions.ts';
import { houseOf } from '../../test/support/housekeeping.ts';
import { randomFacts, record } from '../../test/support/recorded.ts';
import { momentText } from '../db/moments.ts';
import { definitionsStore } from '../segments/definitions.store.ts';
import type { Facts, Moment } from '../timeline/facts.ts';
import type { Batch } from './batch.ts';
import { segmentChanges, userEvents } from './happenings.ts';
import { happeningsStore } from './happenings.store.ts';
import { pagesService } from './pages.service.ts';
import { compare, endOf, parsePosition, type Position, positionText } from './position.ts';

const firstSeed = Number(process.env.MODEL_SEED ?? 1);
const names = ['', '!', '0', 'Z', 'a', '~'];
const now = Date.now();

/** Some users of each history, and the log and the planned starts as a service would have left them. */
async function recordAll(database: TestDatabase, all: readonly Facts[]) {
  const { pool } = database;
  for (const facts of all) {
    await record(database, facts);
    const { userId, stays } = facts;
    const ids = names.map((name) => name + userId);
    for (const name of names.slice(1)) {
      await pool.query(`insert into users select $1 || user_id, known_since, revision from users where user_id = $2`, [
        name,
        userId,
      ]);
      for (const [table, ended] of Object.entries({ memberships: '', past_memberships: ', ended_by, ended_cause' }))
        await pool.query(
          `insert into ${table} select $1 || user_id, segment_id, starts_at, ends_at, since, excluded, begun_by, begun_cause${ended} from ${table} where user_id = $2`,
          [name, userId],
        );
    }
    const log = (at: Moment) => pool.query(`insert into changes values (pg_current_xact_id(), $1, $2)`, [momentText(at), ids]);
    const moments = new Set(
      stays.flatMap(({ endsAt, endedCause }) => (endedCause !== null && endedCause !== 'ttl' ? [endsAt] : [])),
    );
    for (const [i, { startsAt }] of stays.entries()) {
      // Nobody can tell from a stay whether it was planned.
      if (i % 2 === 0) moments.add(startsAt);
      else
        await pool.query(`insert into planned_starts select $1, unnest($2::text[]) on conflict do nothing`, [
          momentText(startsAt),
          ids,
        ]);
    }
    for (const at of moments) if (at < now) await log(at);
  }
}

const expectedOf = (all: readonly Facts[]): string[] => {
  const lines = all.flatMap((facts) => {
    const ofUsers = names.flatMap((name) => {
      const userId = name + facts.userId;
      return userEvents({ ...facts, userId }, 0, now).map((event) => ({
        at: event.at,
        userId,
        line: JSON.stringify([userId, event.segment, event.operation]),
      }));
    });
    const ofSegments = segmentChanges(facts.definitions, 0, now).map(({ at, slug, change }) => ({
      at,
      userId: '',
      line: JSON.stringify([null, slug, change]),
    }));
    return [...ofSegments, ...ofUsers];
  });
  // Sorting is stable, and each user's are in order.
  return lines
    .sort(
      (a, b) =>
        a.at - b.at ||
        (a.userId < b.userId ? -1 : a.userId > b.userId ? 1 : 0) ||
        (a.userId === '' ? (a.line < b.line ? -1 : 1) : 0),
    )
    .map(({ line }) => line);
};

const linesOf = ({ bytes, events }: Batch): string[] =>
  events.map(({ from, to }) => {
    const data = JSON.parse(/data: (.*)\n/.exec(bytes.toString('utf8', from, to))![1]!) as Record<string, string>;
    return JSON.stringify(
      data.user_id === undefined ? [null, data.slug, data.change] : [data.user_id, data.segment, data.operation],
    );
  });

test(`pages of any size tell what the histories of all users tell, wherever their rows lie (MODEL_SEED=${firstSeed})`, async () => {
  const database = await cloneDatabase();
  const all = Array.from({ length: 12 }, (_, i) => randomFacts(firstSeed + i, now));
  await recordAll(database, all);
  const expected = expectedOf(all);
  assert.ok(expected.length > 200, `${expected.length} events`);
  const compareAll = async () => {
    for (const usersAtOnce of [2, 3, 7, 1_000]) {
      const pages = pagesService(happeningsStore(database, { usersAtOnce }), definitionsStore(database));
      const lines: string[] = [];
      let place: Position = endOf(0);
      for (let isLast = false; !isLast;) {
        const page = await pages.readApart(place, now);
        assert.ok(compare(page.batch.upTo, place) > 0, 'it goes on');
        assert.equal(page.isLast, positionText(page.batch.upTo) === String(now));
        lines.push(...linesOf(page.batch));
        ({ isLast } = page);
        place = parsePosition(positionText(page.batch.upTo))!;
      }
      assert.deepEqual(lines, expected, `${usersAtOnce} at once`);
    }
  };
  await compareAll();
  await houseOf(database, { only: /stays/ }).tidy();
  await compareAll();

  // From each event on, as whoever was cut there comes back.
  const pages = pagesService(happeningsStore(database, { usersAtOnce: 1_000 }), definitionsStore(database));
  const { batch } = await pages.readApart(endOf(0), now);
  for (let i = 0; i < batch.events.length; i += 7) {
    const rest = await pages.readApart(batch.events[i]!.position, now);
    assert.deepEqual(linesOf(rest.batch), expected.slice(i + 1), `from event ${i} on`);
  }
});

test('several ends of several users at the last settled moment are all told, wherever a page or a reader stops between them', async () => {
  const database = await cloneDatabase();
  const { pool } = database;
  for (const slug of ['A', 'B', 'C']) await createSegment(pool, slug);
  await pool.query(`update segments set created_at = '2020-01-01'`);
  await pool.query(`update rollouts set from_at = '2020-01-01'`);
  for (const [userId, slugs] of [
    ['u', ['A', 'B', 'C']],
    ['v', ['A', 'C']],
    ['w', ['B']],
    ['x', ['A']],
  ] as const) {
    await pool.query(`insert into users values ($1, '2020-01-02', 1577923200000000)`, [userId]);
    await pool.query(
      `insert into memberships select $1, segment_id, '2020-01-02', $3, '2020-01-02', false, 'bob', 'request' from segments where slug = any($2)`,
      [userId, slugs, momentText(now)],
    );
  }
  const expected = ['u A', 'u B', 'u C', 'v A', 'v C', 'w B', 'x A'];
  const brief = (batch: Batch) => batch.events.map(({ userId, slug }) => `${userId} ${slug}`);
  const compareAll = async () => {
    for (const usersAtOnce of [2, 3, 1_000]) {
      const pages = pagesService(happeningsStore(database, { usersAtOnce }), definitionsStore(database));
      const places = [endOf(now - 1)];
      const lines: string[] = [];
      for (let isLast = false; !isLast;) {
        const page = await pages.readApart(places.at(-1)!, now);
        lines.push(...brief(page.batch));
        places.push(page.batch.upTo);
        ({ isLast } = page);
      }
      assert.deepEqual(lines, expected, `${usersAtOnce} at once`);
      const { batch } = await pages.readApart(endOf(now - 1), now);
      for (const [i, { position }] of batch.events.entries()) {
        const rest = (await pages.readApart(position, now)).batch;
        assert.deepEqual(brief(rest), expected.slice(i + 1, i + 1 + rest.events.length));
        assert.ok(rest.events.length > 0 || i === expected.length - 1);
      }
    }
  };
  await compareAll();
  await houseOf(database, { only: /stays/ }).tidy();
  assert.equal((await pool.query('select from memberships')).rowCount, 0);
  await compareAll();
});

test('what happened is told also when the clock of the database was set back behind it', async () => {
  const database = await cloneDatabase();
  const { pool } = database;
  await createSegment(pool, 'A');
  const [begun, ended, settled] = [now + 600_000, now + 601_000, now + 602_000];
  await pool.query(`insert into users values ('u', $1, $2)`, [momentText(begun), ended * 1000]);
  for (const at of [begun, ended])
    await pool.query(`insert into changes values (pg_current_xact_id(), $1, '{u}')`, [momentText(at)]);
  await pool.query(
    `insert into past_memberships select 'u', segment_id, $1, $2, $1, false, 'ann', 'request', 'ann', 'request' from segments`,
    [momentText(begun), momentText(ended)],
  );
  const pages = pagesService(happeningsStore(database), definitionsStore(database));
  const { batch } = await pages.readApart(endOf(begun - 1), settled);
  assert.deepEqual(linesOf(batch), ['["u","A","add"]', '["u","A","remove"]']);
});

test('whoever stands where the log was dropped, or the history, is told so, and nobody after', async () => {
  const database = await cloneDatabase();
  const pages = pagesService(happeningsStore(database), definitionsStore(database));
  await pages.refuseGone(endOf(0));
  await database.pool.query(`update changes_pruned set up_to = $1`, [momentText(now - 1_000)]);
  await assert.rejects(pages.readApart(endOf(now - 1_000), now), { code: 'position_gone' });
  await assert.rejects(pages.refuseGone(endOf(now - 1_000)), { code: 'position_gone' });
  await pages.readApart(endOf(now - 999), now);
  await database.pool.query(`update history_kept set kept_from = $1`, [momentText(now - 500)]);
  await assert.rejects(pages.readApart(endOf(now - 501), now), { code: 'position_gone' });
  await pages.readApart(endOf(now - 500), now);
});

test('says when the next stay ends or begins by itself, or a percentage is planned', async () => {
  const database = await cloneDatabase();
  const pages = pagesService(happeningsStore(database), definitionsStore(database));
  const nextAt = async () => (await pages.readApart(endOf(now - 1), now)).nextAt;
  assert.equal(await nextAt(), Infinity);
  const end = (at: Moment) =>
    database.pool.query(`insert into memberships values ('u', 1, $1, $2, $1, false, 'ann', 'request')`, [
      momentText(now - at),
      momentText(now + at),
    ]);
  await end(900);
  assert.equal(await nextAt(), now + 900);
  await end(800);
  await database.pool.query(`insert into planned_starts values ($1, 'u'), ($2, 'u')`, [momentText(now + 850), momentText(now)]);
  assert.equal(await nextAt(), now + 800);
  await database.pool.query(`insert into planned_starts values ($1, 'u')`, [momentText(now + 700)]);
  assert.equal(await nextAt(), now + 700);
});

test('those who stand at one place share a page, and no more than two are read at a time', async () => {
  const store = happeningsStore(await cloneDatabase());
  let [reads, most, running] = [0, 0, 0];
  const readApart: typeof store.readApart = async (...asked) => {
    reads++;
    most = Math.max(most, ++running);
    return store.readApart(...asked).finally(() => running--);
  };
  const pages = pagesService({ ...store, readApart }, definitionsStore(await cloneDatabase()));
  const places = Array.from({ length: 100 }, (_, i) => endOf(now - 10 + (i % 10)));
  const told = await Promise.all(places.map((place) => pages.readApart(place, now)));
  assert.deepEqual([reads, most], [10, 2]);
  assert.equal(told[0], told[10]);
});
