import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { startApp } from '../../test/support/app.ts';
import { openAgain } from '../../test/support/database.ts';
import { buildApp } from '../app.ts';
import type { RequestLogOptions } from './request-log.ts';

const { database, keys } = await startApp();

/** An app that logs into memory, from `info` on, and what one GET of each of these makes it say. */
async function logged(requestLog: RequestLogOptions | undefined, ...urls: string[]) {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: 'info', base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const app = await buildApp({
    database: openAgain(database),
    reading: { cache: 'off', maxStalenessSeconds: 300 },
    links: { secret: Buffer.from('a secret of the tests'), ttlSeconds: 60, publicUrl: null },
    logger,
    ...(requestLog ? { requestLog } : {}),
  });
  const answers: { id: unknown; statusCode: number }[] = [];
  for (const url of urls) {
    const { headers, statusCode } = await app.inject({ url, headers: { authorization: `Bearer ${keys.read}` } });
    answers.push({ id: headers['x-request-id'], statusCode });
  }
  await app.close();
  return { answers, lines };
}

const url = '/v1/users/1000/segments?last_revision=true';
const fast = 60_000;

test('nothing is logged of what succeeds or is refused', async () => {
  const { lines, answers } = await logged({ slowMs: fast, sample: 0 }, url, '/v1/users/1000/segments?no=1', '/nowhere');
  assert.deepEqual(
    answers.map(({ statusCode }) => statusCode),
    [200, 400, 404],
  );
  assert.deepEqual(lines, []);
});

test('a slow request is a warning that tells which, without its query', async () => {
  const { lines, answers } = await logged({ slowMs: 0, sample: 0 }, url);
  assert.equal(lines.length, 1);
  const { time, ms, ...line } = lines[0]!;
  assert.ok(typeof time === 'number' && typeof ms === 'number' && ms > 0);
  assert.deepEqual(line, {
    level: 40,
    method: 'GET',
    route: '/v1/users/:user_id/segments',
    path: '/v1/users/1000/segments',
    status: 200,
    reqId: answers[0]!.id,
    msg: 'a slow request',
  });
});

test('a sample of the rest is logged at info, with the same fields', async () => {
  const { lines, answers } = await logged({ slowMs: fast, sample: 1 }, url, '/nowhere?secret=1');
  const [read, unknown] = lines;
  assert.deepEqual(Object.keys(read!), ['level', 'time', 'method', 'route', 'path', 'status', 'ms', 'reqId', 'msg']);
  assert.deepEqual([read!.level, read!.status, read!.reqId], [30, 200, answers[0]!.id]);
  assert.deepEqual([unknown!.route, unknown!.path, unknown!.status], ['unknown', '/nowhere', 404]);
});

test('about the asked share is logged', async () => {
  const { lines } = await logged({ slowMs: fast, sample: 0.5 }, ...Array.from({ length: 200 }, () => '/healthz'));
  assert.ok(lines.length > 50 && lines.length < 150, `${lines.length} of 200`);
});

test('a signed link is not in the log: only its route', async () => {
  const { lines } = await logged({ slowMs: 0, sample: 1 }, '/v1/downloads/claim.signature');
  assert.equal(lines.length, 1);
  assert.equal(lines[0]!.route, '/v1/downloads/:token');
  assert.ok(!JSON.stringify(lines).includes('signature'));
});

test('a failure on our side is logged once, whatever the sample', async () => {
  await database.pool.query('alter table memberships rename to elsewhere');
  const { lines, answers } = await logged({ slowMs: fast, sample: 1 }, url);
  await database.pool.query('alter table elsewhere rename to memberships');
  assert.equal(answers[0]!.statusCode, 500);
  assert.deepEqual(
    lines.map(({ level, reqId, code }) => [level, reqId, code]),
    [[50, answers[0]!.id, 'internal_error']],
  );
});

test('without options the sample is small and a second is slow', async () => {
  const { lines } = await logged(undefined, ...Array.from({ length: 20 }, () => '/healthz'));
  assert.ok(lines.length < 10, `${lines.length} of 20`);
});
