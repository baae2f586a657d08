import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startApp } from '../../test/support/app.ts';
import { houseOf } from '../../test/support/housekeeping.ts';
import { randomFacts, record } from '../../test/support/recorded.ts';
import { cloneDatabase } from '../../test/support/database.ts';
import type { Database } from '../db/database.ts';
import { eventsBetween } from '../timeline/events.ts';
import { factsStore } from '../reading/facts.store.ts';
import { settledStore } from '../reading/settled.store.ts';
import { definitionsStore } from '../segments/definitions.store.ts';
import { historyService } from './history.service.ts';
import type { Period } from './month.ts';
import { reportHeader as header, reportLines } from './report.ts';
import { type ReportSizes, reportsStore } from './reports.store.ts';

const firstSeed = Number(process.env.MODEL_SEED ?? 1);

test(`a report of all is everybody's own, and that of a segment its part of it, whatever the pages (MODEL_SEED=${firstSeed})`, async () => {
  const database = await cloneDatabase();
  const now = Date.now();
  // Some users share the segments of another, so that pages meet several users of one segment, and users of percentages alone.
  const all = Array.from({ length: 40 }, (_, i) => randomFacts(firstSeed + i, now));
  for (const facts of all) await record(database, facts);
  for (const name of ['0', 'Z', 'a', '~~', '!']) {
    await database.pool.query(
      `insert into users select $1 || user_id, known_since, revision from users where user_id like 'user-%'`,
      [name],
    );
    if (name === 'a' || name === '~~') continue;
    await database.pool.query(
      `insert into memberships select $1 || user_id, segment_id, starts_at, ends_at, since, excluded, begun_by, begun_cause
      from memberships where user_id like 'user-%'`,
      [name],
    );
    await database.pool.query(
      `insert into past_memberships select $1 || user_id, segment_id, starts_at, ends_at, since, excluded, begun_by, begun_cause, ended_by, ended_cause
      from past_memberships where user_id like 'user-%'`,
      [name],
    );
  }
  const { rows } = await database.pool.query<{ user_id: string; known_since: number }>(
    `select user_id, known_since from users order by user_id`,
  );
  const slugs = [...new Set(all.flatMap(({ definitions }) => definitions.segments.map(({ slug }) => slug)))];
  const hour = 3_600_000;
  const periods: Period[] = [
    { from: 0, to: now + 1_000 * hour },
    { from: now - 40 * hour, to: now - 10 * hour },
    { from: now - 12 * hour, to: now - 11 * hour },
    { from: now - 1_000 * hour, to: now - 30 * hour },
  ];
  // And single moments at which something happened, of each cause: what is at the very edge counts, and nothing else.
  const happened = all.flatMap((facts) => eventsBetween(facts, 0, now));
  const byCause = [...Map.groupBy(happened, ({ cause, operation }) => `${operation} ${cause}`).values()];
  const moments = new Set(byCause.flatMap((events) => events.slice(0, 5).map((event) => event.at)));
  periods.push(...[...moments].map((from) => ({ from, to: from + 1 })));
  let lines = 0;
  for (const [i, period] of periods.entries()) {
    const alone = historyOn(database);
    const known = rows.filter(({ known_since }) => known_since < period.to);
    const own = await Promise.all(
      known.map(async ({ user_id: userId }) => ({ userId, events: await alone.report(userId, period) })),
    );
    const expected = (slug?: string) =>
      own
        .map(({ userId, events }) =>
          reportLines(
            userId,
            events.filter((event) => slug === undefined || event.segment === slug),
            false,
          ),
        )
        .join('');
    lines += expected().split('\n').length;
    for (const sizes of [
      {},
      { usersAtOnce: 1, staysAtOnce: 1 },
      { usersAtOnce: 3, staysAtOnce: 7 },
      { usersAtOnce: 50, staysAtOnce: 4 },
    ]) {
      assert.equal(await told(historyOn(database, sizes), period), expected(), `period ${i}, ${JSON.stringify(sizes)}`);
    }
    const few = historyOn(database, { usersAtOnce: 5, staysAtOnce: 3 });
    for (const slug of slugs.filter((_, n) => n % periods.length === i))
      assert.equal(await told(few, period, slug), expected(slug), slug);
  }
  assert.ok(lines > 5_000, `${lines} lines`);
});

function historyOn(database: Database, sizes: ReportSizes = {}) {
  const definitions = definitionsStore(database);
  return historyService({
    facts: factsStore(database, definitions),
    settled: settledStore(database),
    definitions,
    reports: reportsStore(database, sizes),
  });
}

async function told(history: ReturnType<typeof historyOn>, period: Period, slug?: string): Promise<string> {
  const users = await Array.fromAsync(await history.reportOfMany(period, slug));
  return users.map(({ userId, events }) => reportLines(userId, events, false)).join('');
}

const { as, call, database } = await startApp();

const linkOf = async (query: string) => {
  const { status, text, body } = await as('read')('GET', `/v1/reports/history?${query}`);
  assert.equal(status, 200, text);
  return new URL(body.url).pathname;
};
const reportOf = async (query: string) => {
  const { status, text, headers } = await as(null)('GET', await linkOf(query));
  assert.equal(status, 200, text);
  return { text, headers };
};

/** Of the month before this one. */
const month = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth(), 1) - 1).toISOString().slice(0, 7);
const at = (day: number) => `${month}-${String(day).padStart(2, '0')}T10:00:00.000Z`;

before(async () => {
  for (const slug of ['HAND', 'HALF', 'GONE']) assert.equal((await call('POST', '/v1/segments', { slug })).status, 201);
  await database.pool.query(`update segments set created_at = '2020-01-01'`);
  await database.pool.query(`update rollouts set from_at = '2020-01-01'`);
  await database.pool.query(
    `update rollouts set to_at = $1 where segment_id = (select segment_id from segments where slug = 'HALF')`,
    [at(3)],
  );
  await database.pool.query(
    `insert into rollouts select segment_id, $1, 'infinity', '{[0,10000)}', 'planner' from segments where slug = 'HALF'`,
    [at(3)],
  );
  await database.pool.query(`update segments set deleted_at = $1, deleted_by = 'remover' where slug = 'GONE'`, [at(20)]);
  await database.pool.query(`update definitions set version = version + 1`);
  for (const [userId, since] of [
    ['b', '2020-01-01'],
    ['a', '2020-01-01'],
    ['=1', '2020-01-01'],
    ['later', new Date().toISOString().slice(0, 10)],
  ]) {
    await database.pool.query(`insert into users values ($1, $2, 1)`, [userId, since]);
  }
  const stay = `insert into memberships select $1, segment_id, $2, 'infinity', $2, false, 'analytics', 'import' from segments where slug = $3`;
  await database.pool.query(stay, ['b', at(5), 'HAND']);
  await database.pool.query(stay, ['a', '2020-02-01', 'GONE']);
});

const half = (user: string) => `${user},HALF,add,${at(3)},rollout\r\n`;
const entered = `b,HAND,add,${at(5)},import\r\n`;
const gone = `a,GONE,remove,${at(20)},segment_deleted\r\n`;

test('a report of all tells who was known before the month ended, user by user in byte order', async () => {
  const { text, headers } = await reportOf(`month=${month}`);
  assert.equal(text, `${header}${half('=1')}${half('a')}${gone}${half('b')}${entered}`);
  assert.equal(headers['content-type'], 'text/csv; charset=utf-8');
  assert.equal(headers['content-disposition'], `attachment; filename="segmentd-${month}.csv"`);
});

test('a report of a segment tells of that one alone, and of one that is deleted too', async () => {
  for (const [slug, lines] of [
    ['HAND', entered],
    ['HALF', half('=1') + half('a') + half('b')],
    ['GONE', gone],
  ]) {
    const { text, headers } = await reportOf(`month=${month}&segment=${slug}`);
    assert.equal(text, header + lines, slug);
    assert.equal(headers['content-disposition'], `attachment; filename="segmentd-segment-${slug}-${month}.csv"`);
  }
});

test('for a spreadsheet no cell of it runs as a formula', async () => {
  const { text } = await reportOf(`month=${month}&segment=HALF&spreadsheet=true`);
  assert.equal(text, header + half(`"'=1"`) + half('"a"') + half('"b"'));
});

test("a closed month's report is the same whatever happens later, and after housekeeping", async () => {
  const questions = ['', '&segment=HAND', '&segment=GONE', '&timezone=Pacific/Auckland'].map((more) => `month=${month}${more}`);
  const before = await Promise.all(questions.map(async (query) => (await reportOf(query)).text));
  assert.equal((await call('PATCH', '/v1/users/b/segments', { remove: ['HAND'] })).status, 200);
  assert.equal((await call('PATCH', '/v1/users/newcomer/segments', { add: ['HAND'] })).status, 200);
  assert.equal((await call('PATCH', '/v1/segments/HALF', { percent: 10 })).status, 200);
  assert.equal((await call('POST', '/v1/segments', { slug: 'GONE', percent: 100 })).status, 201);
  await houseOf(database).tidy();
  for (const [i, query] of questions.entries()) assert.equal((await reportOf(query)).text, before[i], query);
});

test('the month that runs is told up to what was acknowledged before', async () => {
  const { as_of } = (await call('PATCH', '/v1/users/now/segments', { add: ['HAND'] })).body;
  const { text } = await reportOf(`month=${as_of.slice(0, 7)}&segment=HAND`);
  assert.ok(text.includes(`now,HAND,add,${as_of},request\r\n`), text);
});

test('a month of which nothing is known is the header line alone', async () => {
  for (const query of ['month=2019-01', 'month=2019-01&segment=HALF', 'month=2999-01']) {
    assert.equal((await reportOf(query)).text, header);
  }
});

for (const [query, status, code, detail] of [
  ['month=2025-11&segment=NEVER', 404, 'segment_not_found', /NEVER/],
  ['month=2025-11&segment=NEVER&timezone=Mars/Olympus', 400, 'invalid_request', /timezone/],
  ['segment=HAND', 400, 'invalid_request', /month/],
  ['month=2025-11&segment=!', 400, 'invalid_request', /segment/],
  ['month=2025-11&user_id=1', 400, 'invalid_request', /user_id/],
] as const) {
  test(`no link is given for ?${query}`, async () => {
    const { status: answered, body } = await call('GET', `/v1/reports/history?${query}`);
    assert.deepEqual([answered, body.code], [status, code]);
    assert.match(JSON.stringify(body), detail);
  });
}

test('what is not kept is refused: the link, the file, and a file of which it was dropped half way', async () => {
  const { database: own, call: change } = await startApp();
  const history = historyOn(own, { usersAtOnce: 1, staysAtOnce: 1 });
  assert.equal((await change('POST', '/v1/segments', { slug: 'A' })).status, 201);
  await own.pool.query(`update segments set created_at = '2020-01-01'; update rollouts set from_at = '2020-01-01'`);
  await own.pool.query(`update definitions set version = version + 1`);
  for (const userId of ['a', 'b', 'c', 'd', 'e']) {
    await own.pool.query(
      `insert into memberships select $1, segment_id, '2020-02-03', 'infinity', '2020-02-03', false, 'a', 'request' from segments`,
      [userId],
    );
  }
  const period = { from: Date.parse('2020-02-01'), to: Date.parse('2020-03-01') };
  const report = await history.reportOfMany(period);
  assert.equal((await report.next()).value.userId, 'a');
  await own.pool.query(`update history_kept set kept_from = '2021-01-01'`);
  await assert.rejects(Array.fromAsync(report), { code: 'history_dropped' });
  await assert.rejects(history.reportOfMany(period), { code: 'history_dropped' });
  const { status, body } = await change('GET', '/v1/reports/history?month=2020-02&segment=A');
  assert.deepEqual([status, body.code], [410, 'history_dropped']);
});

test('a file that cannot be finished breaks off, and is not taken for a whole one', async () => {
  const { app, database: own, as: on } = await startApp();
  assert.equal((await on('write')('POST', '/v1/segments', { slug: 'A' })).status, 201);
  await own.pool.query(`update segments set created_at = '2020-01-01'; update rollouts set from_at = '2020-01-01'`);
  await own.pool.query(
    `insert into past_memberships select 'user-' || i, segment_id, '2020-02-03', '2020-02-04', '2020-02-03', false, 'a', 'request', 'a', 'request' from segments, generate_series(1, 100000) i`,
  );
  await own.pool.query(`update definitions set version = version + 1`);
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const { body } = await on('read')('GET', '/v1/reports/history?month=2020-02');
  const path = new URL(body.url).pathname;
  const whole = await (await fetch(address + path)).text();
  assert.equal(whole.split('\r\n').length, 200_002);

  const answer = await fetch(address + path);
  assert.equal(answer.status, 200);
  const reader = answer.body!.getReader();
  await reader.read();
  await own.pool.query(`update history_kept set kept_from = '2021-01-01'`);
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  });
});
