import assert from 'node:assert/strict';
import { after, test, type TestContext } from 'node:test';
import { newKey, sha256Of } from '../../src/access/key.ts';
import { keysStore } from '../../src/access/keys.store.ts';
import { contractOf, type OpenApi } from '../support/contract.ts';
import { cloneDatabase } from '../support/database.ts';
import { figuresOf } from '../support/process-figures.ts';
import { startService } from '../support/service.ts';
import { checksumOf } from './checksum.ts';
import { type Exchange, type Heard, rawClient } from './client.ts';
import { mutate } from './mutations.ts';
import { isMutating, poisonOf } from './poison.ts';
import { type Random, randomOf } from './random.ts';
import { bytesOf, type Operation, operationsOf, validWish, type Wish } from './requests.ts';

const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const requests = Number(process.env.FUZZ_REQUESTS ?? 5_000);
const only = process.env.FUZZ_ONLY === undefined ? undefined : Number(process.env.FUZZ_ONLY);
/** Requests at a time. */
const workers = 32;

const database = await cloneDatabase();
const keys = { read: newKey(), write: newKey(), admin: newKey() };
const service = await startService({ DATABASE_URL: database.url, FAILED_KEYS_PER_MINUTE: '0', LOG_SAMPLE: '0' });
for (const scope of ['read', 'write', 'admin'] as const)
  await keysStore(database).insert({ name: `fuzz-${scope}`, scope }, sha256Of(keys[scope]));
const client = rawClient(Number(new URL(service.url).port));
after(() => client.close());
const document = (await service.send('GET', '/openapi.json')).body as OpenApi;
const operations = operationsOf(document);
const contract = contractOf(document);

interface Case {
  readonly operation: Operation;
  readonly wish: Wish;
  readonly isBroken: boolean;
}

/**
 * The request of that number. What could change something is sent with a key that may only read, or has in it what makes it
 * invalid whatever else it says (poison.ts); so nothing at all may have changed at the end. Not so where it is let through.
 */
function caseOf(index: number, isLetThrough: boolean): Case {
  const random = randomOf(Math.imul(seed, 0x9e3779b1) ^ index);
  const operation = random.pick(operations);
  const wish = validWish(operation, random);
  const isValid = random.chance(10);
  // What a mutation of the method makes of a read could change something too.
  const mayWrite = isLetThrough || random.chance(isMutating(operation.method) ? 75 : 15);
  const poison = mayWrite && !isLetThrough ? poisonOf(operation, random) : undefined;
  poison?.before(wish);
  const isBroken = isValid ? false : mutate(wish, random, operation, poison);
  poison?.after(wish);
  // Not the scope that could revoke the keys of the run.
  wish.headers.push(...(isLetThrough ? bearer(keys.write) : keyOf(random, mayWrite)));
  return { operation, wish, isBroken };
}

const bearer = (key: string): [string, string][] => [['Authorization', `Bearer ${key}`]];

function keyOf(random: Random, mayWrite: boolean): [string, string][] {
  if (mayWrite) return bearer(random.pick([keys.write, keys.admin]));
  if (random.chance(88)) return bearer(keys.read);
  return random.pick<[string, string][]>([
    [],
    [['Authorization', `Bearer ${newKeyLike(random)}`]],
    [['Authorization', 'Bearer']],
    [['Authorization', `Basic ${'x'.repeat(3_000)}`]],
    [['Authorization', `Bearer ${keys.read} ${keys.admin}`]],
    [['Authorization', 'Bearer \u00ff\u0000']],
    [
      ['authorization', `bearer ${keys.read}`],
      ['Authorization', 'Bearer x'],
    ],
  ]);
}

const newKeyLike = (random: Random) => `${random.below(2 ** 31)}`.padStart(43, 'x');

interface Tally {
  readonly statuses: Map<string, number>;
  readonly faults: string[];
  /** Of the service, in bytes, now and then. */
  readonly memory: number[];
  slowestMs: number;
}

function judge({ wish }: Case, { answers, ending }: Exchange, tally: Tally): string | undefined {
  if (ending === 'hung') return 'was neither answered nor closed';
  if (ending === 'closed') count(tally, 'closed');
  const target = `/${wish.segments.join('/')}${wish.query.length > 0 ? '?' : ''}`;
  for (const [i, answer] of answers.entries()) {
    if (isForLoad(answer)) {
      count(tally, 'overloaded'); // says something of the machine, and nothing of the request
      continue;
    }
    count(tally, `${answer.status}`);
    try {
      check(i === 0 ? wish.method : '', i === 0 ? target : '', answer);
    } catch (error) {
      return (error as Error).message.slice(0, 600);
    }
  }
  return undefined;
}

function check(method: string, target: string, { status, headers, body }: Heard) {
  const text = body.toString();
  const type = headers.get('content-type') ?? '';
  const parsed: unknown = /json/.test(type) && text !== '' ? JSON.parse(text) : text;
  assert.ok(status < 500, `answered ${status}: ${text.slice(0, 300)}`);
  if (status >= 400 && method !== 'HEAD' && !isOpenFeatures(type, parsed))
    assert.match(type, /^application\/problem\+json/, `${status} without a problem: ${text.slice(0, 200)}`);
  if (method !== 'HEAD') contract.check(method, target, status, type, parsed);
}

/** The form that failures have on the routes of OpenFeature; the document says where. */
const isOpenFeatures = (type: string, body: unknown): boolean =>
  type.startsWith('application/json') && typeof (body as { errorDetails?: unknown } | null)?.errorDetails === 'string';

/** A refusal for load, whose body an answer to a HEAD lacks, or a health check that tells of refusals. */
const isForLoad = ({ status, headers, body }: Heard) =>
  status === 503 &&
  (body.length === 0
    ? headers.has('retry-after')
    : /"code":"overloaded"|"errorDetails":"This process |this process refuses requests/.test(body.toString()));

const count = ({ statuses }: Tally, what: string) => statuses.set(what, (statuses.get(what) ?? 0) + 1);

async function prepare() {
  const segment = 'AVITO_VOICE_MESSAGES'; // the examples of the document lead to it
  await service.send('POST', '/v1/segments', { slug: segment, percent: 20 });
  await service.send('POST', '/v1/segments', { slug: 'A', percent: 10, exclusive_group: 'SPRING' });
  for (const user of ['1000', '1', 'A']) {
    const { status } = await service.send('PATCH', `/v1/users/${user}/segments`, { add: [segment] });
    assert.equal(status, 200);
  }
}

/** Sends the requests of these numbers, and holds each answer against the document. */
async function sendAll(t: TestContext, [from, end]: [number, number], isLetThrough: boolean): Promise<Tally> {
  const tally: Tally = { statuses: new Map(), faults: [], memory: [], slowestMs: 0 };
  let next = from;
  const work = async () => {
    while (next < end && tally.faults.length < 20) {
      const index = next++;
      const one = caseOf(index, isLetThrough);
      const bytes = bytesOf(one.wish);
      const startedAt = performance.now();
      const exchange = await client.send(one.wish.method, bytes, one.isBroken);
      tally.slowestMs = Math.max(tally.slowestMs, performance.now() - startedAt);
      const fault = judge(one, exchange, tally);
      if (fault) tally.faults.push(`request ${index}, ${JSON.stringify(bytes.subarray(0, 700).toString('latin1'))}: ${fault}`);
      if (index % 500 === 0) tally.memory.push(figuresOf(service.process.pid!).rss);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  t.diagnostic(
    JSON.stringify({ seed, statuses: Object.fromEntries([...tally.statuses].sort()), slowestMs: Math.round(tally.slowestMs) }),
  );
  assert.deepEqual(tally.faults, [], `replay one with npm run test:fuzz -- --seed ${seed} --only NUMBER`);
  assert.ok((tally.statuses.get('overloaded') ?? 0) <= (end - from) / 20, 'few are refused for load, on a busy machine too');
  assert.equal((await service.send('GET', '/readyz')).status, 200);
  assert.doesNotMatch(service.output(), /"level":[56]0/, 'nothing was logged as a failure');
  return tally;
}

test(`${requests} requests that nobody should send: seed ${seed}`, { timeout: 7_200_000 }, async (t) => {
  await prepare();
  const before = await checksumOf(database);
  const { memory } = await sendAll(t, only === undefined ? [0, requests] : [only, only + 1], false);
  assert.deepEqual(await checksumOf(database), before, 'a row was changed');

  if (only !== undefined) return;
  const mb = (bytes: number) => Math.round(bytes / 1_048_576);
  const third = Math.floor(memory.length / 3);
  const [second, last] = [median(memory.slice(third, 2 * third)), median(memory.slice(-third))];
  t.diagnostic(
    `resident memory: ${mb(second)} MB in the second third, ${mb(last)} MB in the last, ${mb(Math.max(...memory))} MB at most`,
  );
  if (requests >= 50_000) assert.ok(last < second * 1.15 + 20 * 1_048_576, `from ${mb(second)} MB to ${mb(last)} MB`);
});

test('a tenth as many that may change something, so that odd values come as far as the database', async (t) => {
  if (only === undefined) await sendAll(t, [requests, requests + Math.floor(requests / 10)], true);
});

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
