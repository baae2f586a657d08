import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { type Answer, startApp } from '../../../test/support/app.ts';
import { openAgain, type TestDatabase } from '../../../test/support/database.ts';
import { countReads, holdRead, keyIn, keyOwner } from '../../../test/support/reads.ts';
import { connectRedis, findRedis } from '../../../test/support/redis.ts';
import { until } from '../../../test/support/service.ts';
import { buildApp } from '../../app.ts';
import type { HeldStay } from '../present-facts.ts';
import { encode } from './value.ts';

const { url: redisUrl, skip } = await findRedis();
/** What is tested here does not depend on how busy this machine is. */
const reading = { cache: 'redis', redisUrl, redisLimitMs: 5_000 } as const;
const { call, database, another, keys } = await startApp({ reading });
const reads = countReads(database);

const redis = skip ? undefined! : await connectRedis(redisUrl);
const owner = await keyOwner(database);
const key = (userId: string) => keyIn(owner, userId);

const patch = async (userId: string, change: object) => {
  const answer = await call('PATCH', `/v1/users/${userId}/segments`, change);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
};
const get = async (userId: string, query = ''): Promise<Answer> => {
  const answer = await call('GET', `/v1/users/${userId}/segments${query}`);
  assert.equal(answer.status, 200, answer.text);
  return answer;
};
/** The answer to a read that did not ask the database about the user. */
const getHeld = async (userId: string, query = ''): Promise<Answer> => {
  const before = reads.of(userId);
  const answer = await get(userId, query);
  assert.equal(reads.of(userId) - before, 0, 'the database was asked');
  return answer;
};
/** The answer to a read that did, and filled Redis. */
const getRead = async (userId: string, query = ''): Promise<Answer> => {
  const before = reads.of(userId);
  const answer = await get(userId, query);
  assert.equal(reads.of(userId) - before, 1, 'the database was not asked once');
  return answer;
};
const idOf = async (slug: string): Promise<number> =>
  (await database.pool.query<{ id: number }>('select segment_id as id from segments where slug = $1', [slug])).rows[0]!.id;
const version = async (of: TestDatabase = database): Promise<number> =>
  (await of.pool.query<{ version: number }>('select version from definitions')).rows[0]!.version;
/** Writes a value as this service would have, some time ago. */
const plant = async (userId: string, stays: HeldStay[], { ageMs = 0, reached = 0, ofVersion = 0 } = {}) => {
  const asOf = database.clock.now() - ageMs;
  await redis.set(key(userId), encode({ asOf, reached, version: ofVersion || (await version()), stays }));
  return asOf;
};
const stay = async (slug: string, more: Partial<HeldStay> = {}): Promise<HeldStay> => ({
  segmentId: await idOf(slug),
  excluded: false,
  startsAt: 0,
  endsAt: Infinity,
  ...more,
});

/** A change that has its moment and is not committed yet. */
const beginChange = async (userId: string, slug: string) => {
  const client = await database.pool.connect();
  await client.query('begin');
  const { rows } = await client.query<{ revision: number }>(
    `select revision from apply_changes($1, 0, array[$2], array[null]::bigint[], '{infinity}', '{}', '{}', '{}', '{}', '{}', '{}',
       array[$2], array[$3]::int[], '{false}', '{null}', '{null}', '{null}', '{null}', '{request}', '{writer}')`,
    [await version(), userId, await idOf(slug)],
  );
  const commit = () => client.query('commit').finally(() => client.release());
  return { commit, revision: rows[0]!.revision };
};

/** From the start: the process has its definitions and its connections. */
const isUsed = async (ask: () => Promise<unknown>, userId: string, keyOfUser = key(userId)) => {
  await until(async () => {
    await ask();
    return (await redis.exists(keyOfUser)) === 1;
  }, 'Redis to be used');
};

for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });
if (!skip) await isUsed(() => get('first'), 'first');

test('what was read once is answered without the database, with its moment, age and revision', { skip }, async () => {
  const first = (await getRead('new')).body;
  await until(async () => (await redis.exists(key('new'))) === 1, 'the value in Redis');
  const { body, headers } = await getHeld('new');
  assert.deepEqual(body, { ...first, as_of: body.as_of });
  assert.equal(body.segments, null);
  assert.match(String(headers.age), /^[01]$/);
  assert.ok(body.as_of <= first.as_of);
});

test('a change is in Redis when it is acknowledged, under its own revision and moment', { skip }, async () => {
  const { as_of, revision } = await patch('changed', { add: ['A', 'B'] });
  const { body } = await getHeld('changed');
  assert.deepEqual(body.segments, ['A', 'B']);
  assert.equal(body.revision, revision);
  assert.ok(body.as_of <= as_of);
  await patch('changed', { remove: ['A'] });
  assert.deepEqual((await getHeld('changed')).body.segments, ['B']);
});

test('a change to nothing new leaves the value as it is', { skip }, async () => {
  const { revision } = await patch('same', { add: ['A'] });
  const text = await redis.get(key('same'));
  await patch('same', { add: ['A'] });
  assert.equal(await redis.get(key('same')), text);
  assert.equal((await getHeld('same')).body.revision, revision);
});

test('ends and planned starts are exact to the millisecond of the database clock', { skip }, async () => {
  const turn = database.clock.now() + 200;
  await plant('ends', [await stay('A', { endsAt: turn }), await stay('B', { startsAt: turn })]);
  const seen = new Set<string>();
  await until(async () => {
    const before = database.clock.now();
    const { segments } = (await getHeld('ends')).body;
    const after = database.clock.now();
    seen.add(String(segments));
    if (String(segments) === 'A') assert.ok(before < turn, `${before - turn} ms late`);
    else assert.ok(String(segments) === 'B' && after >= turn, `${segments} ${turn - after} ms early`);
    return before > turn;
  }, 'the turn');
  assert.deepEqual([...seen], ['A', 'B']);
});

test('a value up to the limit old is answered with its age; one past it is not', { skip }, async () => {
  const stays = [await stay('A')];
  const asOf = await plant('aged', stays, { ageMs: 290_000 });
  const { body, headers } = await getHeld('aged');
  assert.deepEqual([body.segments, Date.parse(body.as_of)], [['A'], asOf]);
  assert.ok(Number(headers.age) > 290 && Number(headers.age) < 300, `${Number(headers.age)}: rounded up, as it is at most`);
  await plant('aged', stays, { ageMs: 300_000 });
  const anew = await getRead('aged');
  assert.deepEqual([anew.body.segments, anew.headers.age], [null, '0']);
});

test('a value goes by itself when its time is over', { skip }, async () => {
  await patch('going', { add: ['A'] });
  const left = await redis.pTTL(key('going'));
  assert.ok(left > 290_000 && left <= 300_000, `${left} ms`);
});

test('min_revision is answered from Redis where it was reached, else from the database', { skip }, async () => {
  const { revision } = await patch('asked', { add: ['A'] });
  assert.equal((await getHeld('asked', `?min_revision=${revision}`)).body.revision, revision);
  await call('POST', '/v1/segments', { slug: 'TAKES_ALL', percent: 100 });
  const changed = (await call('PATCH', '/v1/segments/TAKES_ALL', { percent: 99.99 })).body;
  const later = changed.revision ?? (await get('asked', '?last_revision=true')).body.revision;
  const { body } = await getRead('asked', `?min_revision=${later}`);
  assert.deepEqual(body.segments, ['A', 'TAKES_ALL']);
  assert.ok(BigInt(body.revision) >= BigInt(later));
  await call('DELETE', '/v1/segments/TAKES_ALL');
});

test('what an answer gives as its revision is found in Redis when it is asked for', { skip }, async () => {
  await patch('steady', { add: ['A'] });
  await redis.del(key('steady'));
  const { revision } = (await getRead('steady')).body;
  await until(async () => (await redis.exists(key('steady'))) === 1, 'the value in Redis');
  await getHeld('steady', `?min_revision=${revision}`);
});

test("another user's revision is reached by a read that began once it was settled", { skip }, async () => {
  const { revision } = await patch('somebody', { add: ['A'] });
  await until(async () => {
    await redis.del(key('quiet'));
    const before = reads.of('quiet');
    await get('quiet', `?min_revision=${revision}`);
    await until(async () => (await redis.exists(key('quiet'))) === 1, 'the value in Redis');
    await get('quiet', `?min_revision=${revision}`);
    return reads.of('quiet') - before === 1;
  }, 'a value that has reached it');
});

test('a revision that the database has not reached is refused', { skip }, async () => {
  await patch('future', { add: ['A'] });
  const answer = await call('GET', '/v1/users/future/segments?min_revision=9000000000000000');
  assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_request']);
});

test('a read that comes back after a change does not undo what the change put', { skip }, async () => {
  const held = holdRead(database, 'raced');
  const before = get('raced');
  await held.begun;
  await patch('raced', { add: ['A'] }).finally(held.release);
  assert.equal((await before).body.segments, null, 'it was read before the change');
  // Redis takes the commands of a connection in their order: the late value has come by now.
  assert.deepEqual((await getHeld('raced')).body.segments, ['A']);
});

test('after a change nobody is answered by a read that began before it', { skip }, async () => {
  const held = holdRead(database, 'joined');
  const before = get('joined');
  await held.begun;
  await patch('joined', { add: ['A'] });
  await redis.del(key('joined'));
  const count = reads.of('joined');
  const after = get('joined');
  await until(() => reads.of('joined') > count, 'a read of its own', 2_000).finally(held.release);
  assert.deepEqual((await after).body.segments, ['A']);
  assert.equal((await before).body.segments, null);
});

test('one read of the database answers all who wait for it', { skip }, async () => {
  const before = reads.of('many');
  const answers = await Promise.all(Array.from({ length: 50 }, () => get('many')));
  assert.equal(new Set(answers.map(({ body }) => body.as_of)).size, 1);
  assert.equal(reads.of('many') - before, 1);
});

test('who asks for a revision is not answered by a read that began before it', { skip }, async () => {
  const { commit, revision } = await beginChange('behind', 'A');
  const held = holdRead(database, 'behind');
  const before = get('behind');
  await held.begun;
  await commit(); // its moment is before the clock that the read has seen, its effect is not in it
  const after = Array.from({ length: 5 }, () => get('behind', `?min_revision=${revision}`));
  // Redis answers in the order of the questions: when it has answered this one, the others wait for the database.
  await get('first').finally(held.release);
  assert.equal((await before).body.segments, null);
  for (const answer of await Promise.all(after)) assert.deepEqual(answer.body.segments, ['A']);
});

test('what settles while a read is under way does not count as seen by it', { skip }, async () => {
  const elsewhere = await another();
  const held = holdRead(database, 'settling');
  const before = get('settling');
  await held.begun;
  const { revision } = (await elsewhere('PATCH', '/v1/users/settling/segments', { add: ['A'] })).body;
  await redis.del(key('settling'));
  await until(async () => {
    await redis.del(key('witness'));
    await get('witness');
    await until(async () => (await redis.exists(key('witness'))) === 1, 'the value in Redis');
    const [reached] = JSON.parse((await redis.get(key('witness')))!) as [number];
    return reached >= Number(revision);
  }, 'the change to be settled').finally(held.release);
  assert.equal((await before).body.segments, null);
  assert.deepEqual((await get('settling', `?min_revision=${revision}`)).body.segments, ['A']);
});

test('processes share what they have read and changed', { skip }, async () => {
  const elsewhere = await another();
  await isUsed(() => elsewhere('GET', '/v1/users/other-first/segments'), 'other-first');
  const changed = await elsewhere('PATCH', '/v1/users/shared/segments', { add: ['B'] });
  const { body } = await getHeld('shared'); // judged by no moment before the change, whatever this process's clock says
  assert.deepEqual([body.segments, body.revision], [['B'], changed.body.revision]);
  await patch('shared', { remove: ['B'] });
  assert.equal((await elsewhere('GET', '/v1/users/shared/segments')).body.segments, null);
});

test('segments that another process has made, changed or deleted are known with the value, or soon', { skip }, async () => {
  const elsewhere = await another();
  await isUsed(() => elsewhere('GET', '/v1/users/other-second/segments'), 'other-second');
  assert.equal((await elsewhere('POST', '/v1/segments', { slug: 'THEIRS' })).status, 201);
  assert.equal((await elsewhere('PATCH', '/v1/users/told/segments', { add: ['THEIRS'] })).status, 200);
  assert.deepEqual((await getHeld('told')).body.segments, ['THEIRS']);
  // Nobody is woken by this one: the value itself names the definitions that it needs.
  await database.pool.query('update definitions set version = version + 1');
  await plant('told', [await stay('THEIRS'), await stay('A')], { ofVersion: await version() });
  assert.deepEqual((await getHeld('told')).body.segments, ['A', 'THEIRS']);

  await plant('percent', [], { ofVersion: await version() });
  await elsewhere('POST', '/v1/segments', { slug: 'PERCENT', percent: 100 });
  await until(async () => String((await getHeld('percent')).body.segments) === 'PERCENT', 'the percentage');
  await elsewhere('DELETE', '/v1/segments/PERCENT');
  await elsewhere('DELETE', '/v1/segments/THEIRS');
  await until(async () => (await getHeld('percent')).body.segments === null, 'the deletion');
  await until(async () => String((await getHeld('told')).body.segments) === 'A', 'the deletion');
});

test('a value is of no use once the definitions are too old to judge it', { skip }, async () => {
  const limited = await startApp({ reading: { ...reading, maxStalenessSeconds: 1 } });
  const counts = countReads(limited.database);
  const ownKey = keyIn(await keyOwner(limited.database), 'judged');
  const ask = async () => (await limited.call('GET', '/v1/users/judged/segments')).status;
  await isUsed(ask, 'judged', ownKey);
  counts.fail(new Error('not now'), /^definitions/);
  await until(
    async () => {
      const asOf = limited.database.clock.now();
      await redis.set(ownKey, encode({ asOf, reached: 0, version: 0, stays: [] }));
      const before = counts.of('judged');
      assert.equal(await ask(), 200);
      return counts.of('judged') > before;
    },
    'the database to be asked',
    3_000,
  );
});

test('a lookup asks the database about those alone whom Redis does not hold', { skip }, async () => {
  await patch('looked-1', { add: ['A'] });
  await patch('looked-2', { add: ['B'] });
  await redis.del(key('looked-2'));
  const before = ['looked-1', 'looked-2'].map((userId) => reads.of(userId));
  const { body } = await call('POST', '/v1/lookup', { user_ids: ['looked-2', 'looked-1', 'looked-2'] });
  assert.deepEqual(
    body.users.map(({ segments }: { segments: string[] }) => segments),
    [['B'], ['A'], ['B']],
  );
  assert.deepEqual([reads.of('looked-1') - before[0]!, reads.of('looked-2') - before[1]!], [0, 1]);
});

test('two databases in one Redis know nothing of each other', { skip }, async () => {
  const second = await startApp({ reading });
  const ownerOfSecond = await keyOwner(second.database);
  assert.notEqual(ownerOfSecond, owner);
  await second.call('POST', '/v1/segments', { slug: 'A' });
  await until(async () => {
    await second.call('GET', '/v1/users/both/segments');
    return (await redis.exists(keyIn(ownerOfSecond, 'both'))) === 1;
  }, 'Redis to be used');
  await patch('both', { add: ['A'] });
  assert.equal((await second.call('GET', '/v1/users/both/segments')).body.segments, null);
  assert.deepEqual((await getHeld('both')).body.segments, ['A']);
});

test('what is no value of this database is told in the log, answered from the database and replaced', { skip }, async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  const own = openAgain(database);
  const app = await buildApp({
    database: own,
    reading: { ...reading, maxStalenessSeconds: 300 },
    links: { secret: Buffer.from('a secret of the tests'), ttlSeconds: 60, publicUrl: null },
    logger,
  });
  await app.ready();
  const ask = async () => {
    const answer = await app.inject({ url: '/v1/users/broken/segments', headers: { authorization: `Bearer ${keys.read}` } });
    return answer.json().segments as unknown;
  };
  await isUsed(ask, 'broken');
  await patch('broken', { add: ['A'] });
  const good = await redis.get(key('broken'));
  const much = 9e15;
  const before = database.clock.now();
  const value = { asOf: database.clock.now(), reached: much, version: await version(), stays: [] };
  const unknown = { segmentId: 999_999, excluded: false, startsAt: 0, endsAt: Infinity };
  for (const bytes of [
    'bytes of somebody else',
    Buffer.from([0, 255, 254, 1]),
    '',
    good!.slice(0, -1),
    `[${much},"no number`,
    encode({ ...value, version: 1_000_000_000 }),
    encode({ ...value, reached: 0, version: 1_000_000_000 }),
    encode({ ...value, stays: [unknown] }),
    encode({ ...value, reached: 0, stays: [unknown] }),
    encode(value),
    encode({ ...value, reached: 0, asOf: value.asOf + 3_600_000 }),
  ]) {
    lines.length = 0;
    await redis.set(key('broken'), bytes);
    assert.deepEqual(await ask(), ['A'], String(bytes));
    await until(async () => (await redis.pTTL(key('broken'))) > 0, `${String(bytes)} to be replaced`);
    assert.equal(
      lines.filter((line) => /no segmentd wrote/.test(line) && /"userId":"broken"/.test(line)).length,
      1,
      lines.join(''),
    );
    assert.deepEqual(await ask(), ['A']);
    assert.equal(lines.length, 1);
  }
  const passed = own.clock.now() - before;
  assert.ok(passed >= 0 && passed < 60_000, `the clock was moved by ${passed} ms`);
  await redis.del(key('broken'));
  await redis.rPush(key('broken'), 'a list');
  assert.deepEqual(await ask(), ['A']);
  await until(async () => (await redis.type(key('broken'))) === 'string', 'the list to be replaced');
  await app.close();
});

test('with the database down what is held is answered, and what is not is refused', { skip }, async () => {
  await patch('survives', { add: ['A'] });
  await redis.del(key('lost'));
  reads.fail(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
  try {
    assert.deepEqual((await getHeld('survives')).body.segments, ['A']);
    const { status, body } = await call('GET', '/v1/users/lost/segments');
    assert.deepEqual([status, body.code], [503, 'stale_read_refused']);
    assert.equal((await call('GET', '/v1/users/survives/segments?last_revision=true')).body.code, 'database_unavailable');
  } finally {
    reads.fail(undefined);
  }
  assert.equal((await get('lost')).body.segments, null);
});
