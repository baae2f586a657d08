import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { cloneDatabase } from '../../test/support/database.ts';
import { clockOf, createSegment } from '../../test/support/functions.ts';
import { until } from '../../test/support/service.ts';
import { momentOf } from '../timeline/revision.ts';
import { applyText, changeValues, type DecidedChange } from './memberships.store.ts';

// The rule of the database itself, with decisions that no request could time so well.
const database = await cloneDatabase();
const { pool } = database;

interface Answer {
  outcome: string;
  revision: number;
  stale: string[];
}

const clock = () => clockOf(pool);
const version = async () => (await pool.query<{ version: number }>('select version from definitions')).rows[0]!.version;

/** A decision that puts one user in the first segment. */
const decided = (userId: string, { goodUntil = Infinity, ...more }: Partial<DecidedChange> & { goodUntil?: number } = {}) => ({
  userId,
  revision: null,
  version: 1,
  decidedAt: 0,
  decision: {
    endings: [],
    beginnings: [
      {
        segmentId: 1,
        startsAt: null,
        excluded: false,
        end: { kind: 'never' as const },
        since: null,
        cause: 'request' as const,
        by: 'ann',
      },
    ],
    goodUntil,
  },
  ...more,
});

/** One call about these, in order of their users. */
async function apply(changes: readonly DecidedChange[], folds = false): Promise<Answer> {
  const values = [...changeValues(changes, { folds }), true];
  return (await pool.query<Answer>({ name: 'test.apply', text: applyText, values })).rows[0]!;
}

/** Who is in since when, of users whose ids begin so. */
async function isIn(prefix: string): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ user_id: string; ms: number }>(
    `select user_id, (extract(epoch from starts_at) * 1000)::bigint as ms from memberships where user_id like $1`,
    [`${prefix}%`],
  );
  return new Map(rows.map(({ user_id, ms }) => [user_id, ms]));
}

const userOf = (prefix: string, i: number) => `${prefix}${String(i).padStart(4, '0')}`;

before(async () => {
  await createSegment(pool, 'A');
  assert.equal(await version(), 1);
});

for (const kind of ['new', 'known']) {
  test(`of ${kind} users a decision holds before its moment, and not at it`, async () => {
    const users = Array.from({ length: 5_000 }, (_, i) => userOf(kind, i));
    const revisions = new Map<string, number>();
    if (kind === 'known') {
      const { revision } = await apply(
        users.map((userId) => ({ ...decided(userId), decision: { ...decided(userId).decision, beginnings: [] } })),
      );
      for (const userId of users) revisions.set(userId, revision);
    }
    const from = momentOf(await clock());
    const goodUntilOf = (i: number) => from + i;
    const { outcome, revision, stale } = await apply(
      users.map((userId, i) => decided(userId, { revision: revisions.get(userId) ?? null, goodUntil: goodUntilOf(i) })),
    );
    const moment = momentOf(revision);
    const holds = users.filter((_, i) => moment < goodUntilOf(i));
    assert.ok(outcome === 'applied' && holds.length < users.length, 'the call came while some were good');
    assert.deepEqual(
      stale.sort(),
      users.filter((userId) => !holds.includes(userId)),
    );
    assert.deepEqual(await isIn(kind), new Map(holds.map((userId) => [userId, moment])));
  });
}

test('of new users that are decided alike a decision holds before its moment, and not at it', async () => {
  let atIt = 0;
  for (let i = 0; i < 2_000 && atIt < 5; i++) {
    const users = [userOf(`alike${i}-`, 1), userOf(`alike${i}-`, 2)];
    const goodUntil = momentOf(await clock()) + 1;
    const { outcome, revision } = await apply(
      users.map((userId) => decided(userId, { goodUntil })),
      true,
    );
    const moment = momentOf(revision);
    if (moment === goodUntil) atIt++;
    assert.equal(outcome, moment < goodUntil ? 'applied' : 'stale', `${moment - goodUntil} ms after its end`);
    assert.equal((await isIn(`alike${i}-`)).size, moment < goodUntil ? 2 : 0);
  }
  assert.ok(atIt > 0, 'the moment itself was met');
});

test('a change comes after all that was answered and changed before, though the clock is not there yet', async () => {
  const ahead = async () => (await clock()) + 80_000;
  const comesAfter = async (mark: number, given: Partial<DecidedChange> = {}, userId = `after${mark}`) => {
    const { outcome, revision } = await apply([decided(userId, given)]);
    assert.equal(outcome, 'applied');
    assert.ok(momentOf(revision) > momentOf(mark), `${momentOf(revision) - momentOf(mark)} ms after it`);
    return revision;
  };
  const settled = await ahead();
  await pool.query(`select setval('settled', ${settled})`);
  await comesAfter(settled);

  const defined = await ahead();
  await pool.query(`update definitions set revision = ${defined}`);
  await comesAfter(defined);

  await apply([decided('again')]);
  const own = await ahead();
  await pool.query(`update users set revision = ${own} where user_id = 'again'`);
  await pool.query(`delete from memberships where user_id = 'again'`);
  await comesAfter(own, { revision: own }, 'again');
});

test('a change comes no sooner than it was decided for', async () => {
  const decidedAt = momentOf(await clock()) + 80;
  const { outcome, revision } = await apply([decided('sooner', { decidedAt })]);
  assert.equal(outcome, 'applied');
  assert.ok(momentOf(revision) >= decidedAt && momentOf(revision) < decidedAt + 500);
});

test('a plan that is taken back leaves no trace, also at the very moment of its start', async () => {
  let atIt = 0;
  for (let i = 0; i < 200 && atIt < 3; i++) {
    const userId = `plan${i}`;
    const startsAt = momentOf(await clock()) + 20;
    const [beginning] = decided(userId).decision.beginnings;
    const { revision } = await apply([
      { ...decided(userId), decision: { endings: [], beginnings: [{ ...beginning!, startsAt }], goodUntil: Infinity } },
    ]);
    const ending = { segmentId: 1, startsAt, endsAt: null, cause: 'request', by: 'ann' } as const;
    const back = await apply([
      {
        ...decided(userId, { revision, decidedAt: startsAt }),
        decision: { endings: [ending], beginnings: [], goodUntil: Infinity },
      },
    ]);
    assert.equal(back.outcome, 'applied');
    if (momentOf(back.revision) !== startsAt) continue;
    atIt++;
    const { rowCount } = await pool.query(
      `select from memberships where user_id = $1 union all select from past_memberships where user_id = $1`,
      [userId],
    );
    assert.equal(rowCount, 0);
  }
  assert.ok(atIt > 0, 'the moment itself was met');
});

test('the rows of a call are locked in byte order, however they are named, so that two calls never wait for each other', async () => {
  const { revision } = await apply(['lock-a', 'lock-b'].map((userId) => decided(userId)));
  await pool.query(`delete from memberships where user_id like 'lock-%'`);
  const [holder, other] = [await pool.connect(), await pool.connect()];
  try {
    await holder.query(`begin; select from users where user_id = 'lock-b' for update`);
    const call = apply(['lock-b', 'lock-a'].map((userId) => decided(userId, { revision })));
    const isWaiting = async () => {
      const { rowCount } = await pool.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%apply_changes%'`,
      );
      return rowCount === 1;
    };
    await until(isWaiting, 'the call to wait for the second user');
    await assert.rejects(other.query(`select from users where user_id = 'lock-a' for update nowait`), { code: '55P03' });
    await holder.query('rollback');
    assert.equal((await call).outcome, 'applied');
  } finally {
    holder.release();
    other.release();
  }
});

test('a decision that ends what is not there is an error of ours, and nothing of its call is applied', async () => {
  const { revision } = await apply([decided('wrong')]);
  const ending = { segmentId: 1, startsAt: 1_000, endsAt: null, cause: 'request', by: 'ann' } as const;
  const wrong = {
    ...decided('wrong', { revision }),
    decision: { endings: [ending], beginnings: [], goodUntil: Infinity },
  };
  await assert.rejects(apply([decided('wrong-too'), wrong]), { code: 'SD002' });
  assert.deepEqual([...(await isIn('wrong')).keys()], ['wrong']);
});

test('since when of what begins is its start, a moment before, or that of the change', async () => {
  const startsAt = momentOf(await clock()) + 3_600_000;
  const [beginning] = decided('since').decision.beginnings;
  const begin = (more: { startsAt: number | null; since: number | null }) => ({ ...beginning!, ...more });
  const stays = async (userId: string, ...beginnings: ReturnType<typeof begin>[]) => {
    const { revision } = await apply([{ ...decided(userId), decision: { endings: [], beginnings, goodUntil: Infinity } }]);
    const { rows } = await pool.query<{ since: number }>(
      `select (extract(epoch from since) * 1000)::bigint as since from memberships where user_id = $1 order by starts_at`,
      [userId],
    );
    return rows.map(({ since }) => since - momentOf(revision));
  };
  assert.deepEqual(await stays('since1', begin({ startsAt: null, since: null }), begin({ startsAt, since: -Infinity })), [0, 0]);
  const [now, then] = await stays('since2', begin({ startsAt: null, since: 1_000 }), begin({ startsAt, since: null }));
  assert.ok(now! < 0 && then! > 3_500_000);
});

test('rows that are sent alike but for one column are written as each was meant', async () => {
  await createSegment(pool, 'B');
  const current = await version();
  const [beginning] = decided('any').decision.beginnings;
  const [in1, in2] = [3_600_000, 7_200_000].map((ms) => Date.now() + ms) as [number, number];
  const differing: [object, object][] = [
    [{ segmentId: 1 }, { segmentId: 2 }],
    [{ excluded: false }, { excluded: true }],
    [{ startsAt: in1 }, { startsAt: in2 }],
    [{ startsAt: null }, { startsAt: in1 }],
    [{ end: { kind: 'at', moment: in1 } }, { end: { kind: 'at', moment: in2 } }],
    [{ end: { kind: 'ttl', milliseconds: 5_000 } }, { end: { kind: 'ttl', milliseconds: 6_000 } }],
    [{ since: 1_000 }, { since: 2_000 }],
    [{ since: -Infinity }, { since: 2_000 }],
    [{ cause: 'request' }, { cause: 'import' }],
    [{ by: 'ann' }, { by: 'bob' }],
    [{}, {}],
    [
      { startsAt: in1, end: { kind: 'ttl', milliseconds: 5_000 }, since: -Infinity },
      { startsAt: in1, end: { kind: 'ttl', milliseconds: 5_000 }, since: -Infinity },
    ],
  ];
  for (const [i, pair] of differing.entries()) {
    const written = async (folds: boolean) => {
      const users = [userOf(`fold${i}-${folds}-`, 1), userOf(`fold${i}-${folds}-`, 2)];
      const changes = users.map((userId, n) => ({
        ...decided(userId, { version: current }),
        decision: { endings: [], beginnings: [{ ...beginning!, ...pair[n] }], goodUntil: Infinity },
      }));
      const { outcome, revision } = await apply(changes, folds);
      assert.equal(outcome, 'applied');
      const ms = (column: string) =>
        `case when ${column} = 'infinity' then -1 else (extract(epoch from ${column}) * 1000)::bigint - $2 end as ${column}`;
      const { rows } = await pool.query<Record<string, string | number | boolean>>(
        `select segment_id, ${ms('starts_at')}, ${ms('ends_at')}, ${ms('since')}, excluded, begun_by, begun_cause
           from memberships where user_id = any ($1) order by user_id`,
        [users, momentOf(revision)],
      );
      assert.equal(rows.length, 2);
      return { rows, moment: momentOf(revision) };
    };
    const [folded, plain] = [await written(true), await written(false)];
    // What is told in moments, rather than from the change on, differs by what passed between the two.
    const passed = plain.moment - folded.moment;
    for (const [n, row] of folded.rows.entries())
      for (const [column, value] of Object.entries(row)) {
        const other = plain.rows[n]![column];
        assert.ok(value === other || value === Number(other) + passed, `${i}: ${column} of row ${n}: ${value}, ${other}`);
      }
  }
});
