import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, beforeEach, mock, test } from 'node:test';
import { type Client, createClient } from './client.ts';
import { SegmentdError, UnreachableError } from './errors.ts';
import type { CallOptions } from './requests.ts';

/** What `fetch` comes to, one request after the other. */
type Outcome = (init: RequestInit) => Response | Promise<Response>;

const answered: Outcome = () => Response.json({ user_id: '1', segments: ['A'], revision: '1', users: [{ segments: ['A'] }] });
const refused: Outcome = () => Promise.reject(failed('ECONNREFUSED'));
const broken: Outcome = () => Promise.reject(failed('UND_ERR_SOCKET'));
const failed = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
const problem =
  (code: string, status: number, headers: Record<string, string> = {}): Outcome =>
  () =>
    Response.json({ code, status, detail: code, request_id: 'r1' }, { status, headers });
const page =
  (status: number): Outcome =>
  () =>
    new Response('<h1>Bad gateway</h1>', { status });

/** A client to which these happen, and how often it asked. */
function clientOf(outcomes: Outcome[], options: CallOptions = {}) {
  let sent = 0;
  const fetching = mock.fn<typeof fetch>(async (_, init) => outcomes[sent++]!(init!));
  const client = createClient({ url: 'http://segmentd.test/below/', key: 'k', fetch: fetching, ...options });
  return { client, fetching, times: () => sent };
}

let random = 0;
beforeEach(() => {
  random = 0; // no wait
  mock.method(Math, 'random', () => random);
});

test('sends the key, below the path of the address', async () => {
  const { client, fetching } = clientOf([answered]);
  await client.change('a/b', { add: ['A'] });
  const [url, init] = fetching.mock.calls[0]!.arguments;
  assert.equal(url, 'http://segmentd.test/below/v1/users/a%2Fb/segments');
  assert.deepEqual(init!.headers, { authorization: 'Bearer k', 'content-type': 'application/json' });
});

test('a read is attempted again until it is answered', async () => {
  const { client, times } = clientOf([refused, broken, problem('overloaded', 503), page(502), answered]);
  assert.equal(await client.isIn('1', 'A'), true);
  assert.equal(times(), 5);
});

test('and no more often than that', async () => {
  const { client, times } = clientOf([broken, broken, broken], { retries: 2 });
  await assert.rejects(client.isIn('1', 'A'), { name: 'UnreachableError', reason: 'connection', mayBeApplied: true });
  assert.equal(times(), 3);
});

test('a change is attempted again where it cannot have been applied', async () => {
  const { client, times } = clientOf([
    refused,
    problem('rate_limited', 429),
    problem('overloaded', 503),
    problem('definitions_busy', 503),
    answered,
  ]);
  assert.equal((await client.change('1', { add: ['A'] })).revision, '1');
  assert.equal(times(), 5);
});

test('a change is not repeated where it may have been applied, unless the caller says so', async () => {
  for (const outcome of [broken, problem('database_unavailable', 503), page(504)]) {
    for (const retry of [false, true]) {
      const changes: ((client: Client) => Promise<unknown>)[] = [
        (client) => client.change('1', { add: ['A'] }, { retry }),
        (client) => client.segments.create({ slug: 'A' }, { retry }),
        (client) => client.segments.change('A', { percent: 1 }, { retry }),
        (client) => client.segments.delete('A', { retry }),
        (client) => client.segments.cancelScheduled('A', '1', { retry }),
      ];
      for (const change of changes) {
        const { client, times } = clientOf([outcome, answered]);
        await (retry ? change(client) : assert.rejects(change(client)));
        assert.equal(times(), retry ? 2 : 1);
      }
    }
  }
});

test('an import is attempted again, with the same Idempotency-Key, but for a stream', async () => {
  const { client, fetching } = clientOf([broken, answered]);
  await client.importUsers('A', ['1'], { operation: 'add' });
  const keys = fetching.mock.calls.map(({ arguments: [, init] }) => (init!.headers as Record<string, string>)['idempotency-key']);
  assert.equal(keys.length, 2);
  assert.match(String(keys[0]), /^\d+(-\d+){3}$/);
  assert.equal(keys[0], keys[1]);
  const stream = clientOf([broken, answered]);
  await assert.rejects(stream.client.importUsers('A', new Blob(['1']).stream(), { operation: 'add' }), UnreachableError);
  assert.equal(stream.times(), 1);
});

test('waits as long as the service asked for, and not at all where that is longer than the call may take', async () => {
  const { client, times } = clientOf([problem('overloaded', 503, { 'retry-after': '1' }), answered]);
  const startedAt = performance.now();
  await client.isIn('1', 'A');
  assert.ok(performance.now() - startedAt > 990);
  assert.equal(times(), 2);
  const hurried = clientOf([problem('overloaded', 503, { 'retry-after': '3600' }), answered]);
  await assert.rejects(hurried.client.isIn('1', 'A'), { code: 'overloaded' });
  assert.equal(hurried.times(), 1);
});

test('a call ends with its time, whether nothing is answered or an answer does not end', async () => {
  const server = http.createServer((request, response) => {
    if (request.method === 'POST') response.writeHead(200, { 'content-type': 'application/json' }).write('{');
  });
  after(() => server.close().closeAllConnections());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = createClient({ url: `http://127.0.0.1:${port}`, key: 'k', timeoutMs: 50 });
  const late = {
    name: 'UnreachableError',
    reason: 'timeout',
    message: 'segmentd did not answer within 50 ms',
    mayBeApplied: true,
  };
  await assert.rejects(client.change('1', { add: ['A'] }), late);
  await assert.rejects(client.isIn('1', 'A'), late);
});

test('a call ends with its signal, also between two attempts, with the reason of the signal', async () => {
  random = 1;
  const leaving = new AbortController();
  const { client, times } = clientOf([
    (init) => {
      setImmediate(() => leaving.abort(new Error('gone')));
      return problem('overloaded', 503, { 'retry-after': '5' })(init);
    },
    answered,
  ]);
  await assert.rejects(client.change('1', { add: ['A'] }, { signal: leaving.signal }), /^Error: gone$/);
  assert.equal(times(), 1);
});

test('a call that was ended is not attempted again, and fails with the reason, whatever that is', async () => {
  const reasons = [
    null,
    0,
    'gone',
    { status: 503 },
    { reason: 'refused' },
    failed('ECONNREFUSED'),
    new UnreachableError('refused', ''),
  ];
  for (const reason of reasons) {
    const calls: ((client: Client, signal: AbortSignal) => Promise<unknown>)[] = [
      (client, signal) => client.change('1', { add: ['A'] }, { signal }),
      (client, signal) => client.segments.get('A', { signal }),
      (client, signal) => client.isIn('1', 'A', {}, { signal, lastKnown: { maxAgeSeconds: 60 } }),
    ];
    for (const call of calls) {
      const leaving = new AbortController();
      const ended: Outcome = ({ signal }) => {
        leaving.abort(reason);
        return Promise.reject(signal!.reason as Error);
      };
      const { client, times } = clientOf([answered, ended, ended]);
      await client.isIn('1', 'A', {}, { lastKnown: { maxAgeSeconds: 60 } });
      for (const moment of ['on its way', 'before it began']) {
        const outcome = await call(client, leaving.signal).then(
          () => assert.fail('it is answered'),
          (error: unknown) => ({ error }),
        );
        assert.deepEqual(outcome, { error: reason }, `${JSON.stringify(reason)} ${moment}`);
      }
      assert.ok(times() <= 3, String(times()));
    }
  }
});

test('an answer that segmentd did not give is told from one that it gave', async () => {
  const { client } = clientOf([
    page(404),
    page(200),
    problem('forbidden', 403),
    () => Response.json({ code: 'x' }, { status: 400 }),
  ]);
  const change = () => client.change('1', { add: ['A'] });
  await assert.rejects(change, { name: 'UnreachableError', reason: 'answer', status: 404 });
  await assert.rejects(change, { name: 'UnreachableError', reason: 'answer', status: 200 });
  await assert.rejects(change, (error) => error instanceof SegmentdError && error.requestId === 'r1' && error.status === 403);
  await assert.rejects(change, { name: 'UnreachableError', reason: 'answer', status: 400 });
});
