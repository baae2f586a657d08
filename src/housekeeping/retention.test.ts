import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Answer, startApp, type TestApp } from '../../test/support/app.ts';
import { openAgain } from '../../test/support/database.ts';
import { houseOf } from '../../test/support/housekeeping.ts';
import { until } from '../../test/support/service.ts';
import { momentText } from '../http/moment.ts';
import { factsStore } from '../reading/facts.store.ts';
import { definitionsStore } from '../segments/definitions.store.ts';
import { randomSource } from '../../test/model/random-history.ts';
import { monthName, monthOf, startOf } from './months.ts';
import { dropMonth, raiseKeptFrom } from './partitions.store.ts';

const day = 86_400_000;
const thisMonth = monthOf(Date.now());
const kept = startOf(thisMonth - 3);
const at = (moment: number) => `at=${momentText(moment)}`;

/** An app whose segment A is old, with stays in it as if they had been recorded at their time. */
async function appWith(stays: Record<string, [from: number, to: number][]>): Promise<TestApp> {
  const app = await startApp();
  await app.call('POST', '/v1/segments', { slug: 'A' });
  const { pool } = app.database;
  await pool.query(`update segments set created_at = '2001-01-01', updated_at = '2001-01-01'`);
  await pool.query(`update rollouts set from_at = '2001-01-01'`);
  await pool.query(`update definitions set version = version + 1`);
  for (const [userId, own] of Object.entries(stays)) {
    for (const [from, to] of own) {
      await pool.query(
        `insert into past_memberships select $1, segment_id, $2, $3, $2, false, 'ann', 'request', 'bob', 'request' from segments`,
        [userId, momentText(from), momentText(to)],
      );
    }
  }
  return app;
}

const rows = async ({ database }: TestApp) =>
  (await database.pool.query<{ n: number }>('select count(*) as n from past_memberships')).rows[0]!.n;
const hasMonth = async ({ database }: TestApp, month: number) =>
  (await database.pool.query(`select to_regclass('past_memberships_${monthName(month)}')`)).rows[0].to_regclass !== null;
const codeOf = ({ status, body }: Answer) => [status, body.code];
const gone = [410, 'history_dropped'];

describe('where three months are kept besides the one that runs', async () => {
  const app = await appWith({
    u: [
      [kept - 40 * day, kept - 20 * day],
      [kept - day, kept + day],
    ],
    long: [[kept - 50 * day, kept - 9 * day]],
    ancient: [[Date.UTC(2001, 1), Date.UTC(2002, 1)]],
  });
  const get = (path: string) => app.call('GET', `/v1/users/${path}`);
  const link = (await get(`u/report?month=${momentText(kept - day).slice(0, 7)}`)).body.url as string;
  assert.equal((await app.call('GET', new URL(link).pathname)).text.split('\r\n').length, 4);
  let house = houseOf(app.database, { historyMonths: 3 });
  await house.tidy();

  test('whatever ended before is gone, with its partition, and what ended since is there, whenever it began', async () => {
    assert.equal(await rows(app), 1);
    assert.equal(await hasMonth(app, thisMonth - 4), false);
    assert.equal(await hasMonth(app, thisMonth - 3), true);
  });

  test('a moment before is answered 410 on every route, and the first one that is kept is answered', async () => {
    const month = momentText(kept - 1).slice(0, 7);
    for (const path of [
      `u/segments?${at(kept - 1)}`,
      `u/segments/A?${at(kept - 1)}`,
      `nobody/segments?${at(0)}`,
      `u/history?from=${momentText(kept - 1)}&to=${momentText(Date.now())}`,
      `u/history?month=${month}`,
      `u/report?month=${month}`,
      // The same month begins there before it does in UTC.
      `u/history?month=${momentText(kept).slice(0, 7)}&timezone=Asia/Kolkata`,
    ])
      assert.deepEqual(codeOf(await get(path)), gone, path);
    assert.deepEqual(codeOf(await app.call('GET', new URL(link).pathname)), gone);

    assert.deepEqual((await get(`u/segments?${at(kept)}`)).body.segments, ['A']);
    const { body } = await get(`u/history?from=${momentText(kept)}&to=${momentText(Date.now())}`);
    assert.deepEqual(body.events, [
      { at: momentText(kept + day), segment: 'A', operation: 'remove', cause: 'request', actor: 'bob' },
    ]);
    assert.equal((await get(`u/report?month=${momentText(kept).slice(0, 7)}`)).status, 200);
  });

  test('a problem says from when on history is kept', async () => {
    const { body } = await get(`u/segments?${at(kept - 1)}`);
    assert.equal(
      body.detail,
      `at lies before what is kept: history goes back to ${momentText(kept)}; got ${momentText(kept - 1)}.`,
    );
  });

  test('why knows nothing of what is not kept: since is null, and who left before then never was there', async () => {
    const why = async (query: string) => {
      const { member, because, since, until } = (await get(query)).body;
      return [member, because, since, until];
    };
    assert.deepEqual(await why(`u/segments/A?${at(kept)}`), [true, 'added', null, momentText(kept + day)]);
    assert.deepEqual(await why('u/segments/A'), [false, 'removed', momentText(kept + day), null]);
    assert.deepEqual(await why('long/segments/A'), [false, 'never_added', null, null]);
    assert.deepEqual(codeOf(await get(`u/segments/NONE?${at(kept - 1)}`)), [404, 'segment_not_found'], 'a 404 comes first');
  });

  test('the list of what has ended begins with what is kept', async () => {
    const { memberships } = (await get('u/memberships?ended=true')).body;
    assert.deepEqual(
      memberships.map(({ starts_at, ends_at }: Record<string, string>) => [starts_at, ends_at]),
      [[momentText(kept - day), momentText(kept + day)]],
    );
    assert.deepEqual((await get('long/memberships?ended=true')).body.memberships, []);
  });

  test('the mark does not move back when more is to be kept, or all', async () => {
    for (const historyMonths of [12, null]) {
      await house.close();
      house = houseOf(app.database, { historyMonths });
      await house.tidy();
    }
    assert.deepEqual(codeOf(await get(`u/segments?${at(kept - 1)}`)), gone);
  });
});

test('what lies among the current ones still and ended before is not told either, and is dropped when it is moved', async () => {
  const app = await appWith({});
  const { pool } = app.database;
  await pool.query(`insert into users values ('u', '2001-01-01', 1)`);
  await pool.query(
    `insert into memberships select 'u', segment_id, '2001-01-01', $1, '2001-01-01', false, 'ann', 'request' from segments`,
    [momentText(kept - day)],
  );
  const house = houseOf(app.database, { historyMonths: 3, restedMs: 100 * 365 * day });
  await house.tidy();
  assert.deepEqual((await app.call('GET', '/v1/users/u/memberships?ended=true')).body.memberships, []);
  assert.deepEqual((await app.call('GET', '/v1/users/u/segments/A')).body.because, 'never_added');
  await house.close();
  const next = houseOf(app.database, { historyMonths: 3 });
  await next.tidy();
  await next.tidy();
  assert.equal(await rows(app), 0);
  assert.deepEqual(next.strays, [0, 0]);
  assert.equal(await hasMonth(app, thisMonth - 4), false);
});

test('while somebody reads what is to be dropped it is not, though it is answered 410 already; the next round drops it', async () => {
  const app = await appWith({ u: [[kept - 40 * day, kept - 20 * day]] });
  const reader = await openAgain(app.database).connect();
  await reader.query('begin; select count(*) from past_memberships');
  const house = houseOf(app.database, { historyMonths: 3 });
  assert.equal(await house.round(), true);
  assert.match(house.failures.join(), /^history that is no longer kept: .*lock timeout/);
  assert.equal(await rows(app), 1);
  assert.deepEqual(codeOf(await app.call('GET', `/v1/users/u/segments?${at(kept - 30 * day)}`)), gone);
  const read = await factsStore(app.database, definitionsStore(app.database)).since('u', -Infinity);
  assert.deepEqual([read.facts.stays, read.keptFrom], [[], kept], 'what is there still is not told');
  await reader.end();
  await house.round();
  assert.equal(await rows(app), 0);
});

test('a read that waited for a drop says so, and not that nobody was in', async () => {
  const app = await appWith({ u: [[kept - 40 * day, kept - 20 * day]] });
  const ask = () => app.call('GET', `/v1/users/u/segments?${at(kept - 30 * day)}`);
  for (let i = 0; i < 12; i++) assert.deepEqual((await ask()).body.segments, ['A']); // its plan is made on every connection
  const dropper = await openAgain(app.database).connect();
  await dropper.query(`begin; drop table past_memberships_${monthName(monthOf(kept - 20 * day))}`);
  const asked = ask();
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await until(async () => (await app.database.pool.query(waiting)).rowCount! > 0, 'the read to wait');
  const marker = await openAgain(app.database).connect();
  await raiseKeptFrom(marker, kept);
  await dropper.query('commit');
  assert.deepEqual(codeOf(await asked), gone);
  await Promise.all([marker.end(), dropper.end()]);
});

test('while months are dropped one after the other every answer is right or 410', async () => {
  const stays = Array.from({ length: 9 }, (_, i): [number, number] => [
    startOf(thisMonth - i - 1) + day,
    startOf(thisMonth - i - 1) + 20 * day,
  ]);
  const app = await appWith({ u: stays });
  const client = await openAgain(app.database).connect();
  const random = randomSource(1);
  const answers = { right: 0, dropped: 0 };
  const reading = new AbortController();
  const readers = Array.from({ length: 4 }, async () => {
    while (!reading.signal.aborted) {
      const month = thisMonth - 1 - random.below(9);
      const { status, body } = await app.call('GET', `/v1/users/u/segments?${at(startOf(month) + 10 * day)}`);
      if (status !== 410) assert.deepEqual(body.segments, ['A'], monthName(month));
      answers[status === 410 ? 'dropped' : 'right']++;
    }
  });
  try {
    for (let month = thisMonth - 9; month < thisMonth; month++) {
      const before = answers.right + answers.dropped;
      await until(() => answers.right + answers.dropped > before + 40, 'some reads');
      await raiseKeptFrom(client, startOf(month + 1));
      await until(
        () =>
          dropMonth(client, month).then(
            () => true,
            () => false,
          ),
        'the month to be dropped',
      );
    }
  } finally {
    reading.abort();
    await Promise.all(readers);
    await client.end();
  }
  assert.ok(answers.right > 40 && answers.dropped > 40, JSON.stringify(answers));
});
