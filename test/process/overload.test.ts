import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { cloneDatabase, type TestDatabase } from '../support/database.ts';
import { adminKey, type Service, startService, until } from '../support/service.ts';

interface Heard {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
  readonly ms: number;
}

/** One request over a connection of that agent, its answer read to the end. */
function ask({ url }: Service, agent: Agent, method: string, path: string, body?: string, headers: object = {}): Promise<Heard> {
  const startedAt = performance.now();
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request(url + path, { method, agent, headers: { authorization: `Bearer ${adminKey}`, ...type, ...headers } });
    sent.on('error', reject).on('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('error', reject).on('end', () => {
        const retryAfter = answer.headers['retry-after'];
        resolve({ status: answer.statusCode!, text, retryAfter, ms: performance.now() - startedAt });
      });
    });
    sent.end(body);
  });
}

const isRefusal = ({ status, text, retryAfter }: Heard) => status === 503 && /"overloaded"/.test(text) && retryAfter === '2';

/** Health checks until the work is done; the slowest answer, in milliseconds. */
async function slowestCheck(service: Service, work: Promise<unknown>): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const progress = { isDone: false };
  let slowest = 0;
  const done = work.finally(() => (progress.isDone = true));
  while (!progress.isDone) {
    const { status, ms } = await ask(service, agent, 'GET', '/healthz');
    assert.equal(status, 200);
    slowest = Math.max(slowest, ms);
    await wait(10);
  }
  await done;
  agent.destroy();
  return slowest;
}

test('more than it can do is refused at once; health checks go on, what was acknowledged is there, and it recovers', async () => {
  const { url, pool } = await cloneDatabase();
  const service = await startService({ DATABASE_URL: url, MAX_REQUESTS: '10', LOG_SAMPLE: '0' });
  assert.equal((await service.send('POST', '/v1/segments', { slug: 'A' })).status, 201);
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const heard: Heard[] = [];
  const changing = Array.from({ length: 80 }, async (_, worker) => {
    const giveUpAt = performance.now() + 60_000;
    for (let i = 0; i < 5 && performance.now() < giveUpAt;) {
      const answer = await ask(service, agent, 'PATCH', `/v1/users/${worker}-${i}/segments`, '{"add":["A"]}');
      heard.push(answer);
      if (answer.status === 200) i++;
      else await wait(5); // less patient than it is told to be
    }
  });
  const slowest = await slowestCheck(service, Promise.all(changing));
  agent.destroy();

  const changed = heard.filter(({ status }) => status === 200).length;
  const refused = heard.filter(isRefusal).length;
  assert.equal(changed + refused, heard.length, JSON.stringify(heard.find((one) => one.status !== 200 && !isRefusal(one))));
  assert.ok(changed === 400 && refused >= 100, `${changed} changed, ${refused} refused`);
  assert.ok(slowest < 10_000, `a health check took ${slowest} ms`);
  const { rows } = await pool.query<{ n: number }>('select count(*) as n from memberships');
  assert.equal(rows[0]!.n, changed);

  await until(async () => (await service.send('GET', '/readyz')).status === 200, 'it to be ready');
  assert.equal((await service.send('PATCH', '/v1/users/1/segments', { add: ['A'] })).status, 200);
  const lines = service.output().split('\n');
  const told = lines.filter((line) => line.includes('requests are refused'));
  assert.ok(told.length >= 1 && told.length < 10, `${told.length} lines of ${refused} refusals`);
});

async function addUsers({ pool }: TestDatabase, count: number) {
  await pool.query(
    `with known as (insert into users (user_id, revision, known_since)
        select 'user-' || n, d.revision, now() - interval '1 hour' from generate_series(1, $1::integer) n, definitions d returning user_id)
     insert into memberships (user_id, segment_id, starts_at, since, ends_at, excluded, begun_by, begun_cause)
     select user_id, s.segment_id, s.created_at, s.created_at, 'infinity', false, 'admin', 'import' from known, segments s`,
    [count],
  );
  await pool.query('analyze users, memberships');
}

test('ten of each kind of expensive request at once do not starve changes of single users', async () => {
  const database = await cloneDatabase();
  const service = await startService({ DATABASE_URL: database.url, LOG_SAMPLE: '0' });
  await service.send('POST', '/v1/segments', { slug: 'A' });
  await addUsers(database, 5_000);
  const month = new Date().toISOString().slice(0, 7);
  const link = await service.send('GET', `/v1/reports/history?month=${month}`);
  assert.equal(link.status, 200, JSON.stringify(link.body));
  const { url } = link.body as { url: string };
  const file = Array.from({ length: 1_000 }, (_, i) => `new-${i}`).join('\n');

  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const text = { 'content-type': 'text/plain' };
  const expensive = Array.from({ length: 10 }, () => [
    ask(service, agent, 'PATCH', '/v1/segments/A?dry_run=true', '{"percent":50}'),
    ask(service, agent, 'GET', '/v1/segments/A/members', undefined, { accept: 'text/csv' }),
    ask(service, agent, 'GET', new URL(url).pathname),
    ask(service, agent, 'POST', '/v1/segments/A/imports?operation=add', file, text),
  ]).flat();
  const progress = { isDone: false };
  const all = Promise.all(expensive).finally(() => (progress.isDone = true));
  const changes: Heard[] = [];
  const changing = Array.from({ length: 4 }, async (_, worker) => {
    for (let i = 0; !progress.isDone || i < 5; i++)
      changes.push(await ask(service, agent, 'PATCH', `/v1/users/own-${worker}-${i}/segments`, '{"add":["A"]}'));
  });
  const [heard] = await Promise.all([all, ...changing]);
  agent.destroy();

  // On a machine that others starve the process may be too late for some, and says so.
  assert.ok(
    changes.every((one) => one.status === 200 || isRefusal(one)),
    JSON.stringify(changes.find((one) => one.status !== 200)),
  );
  assert.ok(changes.filter(({ status }) => status === 200).length > changes.length / 2);
  const slowest = Math.max(...changes.map(({ ms }) => ms));
  assert.ok(slowest < 10_000, `a change took ${slowest} ms`);
  const done = heard.filter(({ status }) => status < 300);
  assert.ok(
    heard.every((one) => one.status < 300 || isRefusal(one)),
    JSON.stringify(heard.map(({ status }) => status)),
  );
  assert.ok(done.length >= 20 && done.length < 40, `${done.length} of 40 were answered`);
  for (const { text } of done.filter(({ text }) => text.startsWith('user_id'))) assert.match(text, /\n$/, 'files come whole');
});
