import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneDatabase } from '../support/database.ts';
import { adminKey, startService, until } from '../support/service.ts';

const kills = 10;
const rows = 150_000;

interface Told {
  state: string;
  received: number;
  applied: number;
  unchanged: number;
  rejected: number;
}

test(`an import whose process is killed ${kills} times puts in exactly the ones of the file, each once`, async () => {
  const { url, pool } = await cloneDatabase();
  let service = await startService({ DATABASE_URL: url });
  await service.send('POST', '/v1/segments', { slug: 'A' });
  await service.send('PATCH', '/v1/users/user-7/segments', { add: ['A'] });
  const lines = Array.from({ length: rows }, (_, i) => (i % 1_000 === 999 ? `broken ${i}` : `user-${i}`));
  const sent = await fetch(`${service.url}/v1/segments/A/imports?operation=add`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'text/plain' },
    body: lines.join('\n'),
  });
  assert.equal(sent.status, 202);
  const { id } = (await sent.json()) as { id: string };
  const read = async () => (await service.send('GET', `/v1/imports/${id}`)).body as Told;
  const doneOf = ({ applied, unchanged }: Told) => applied + unchanged;

  for (let i = 0; i < kills; i++) {
    const before = doneOf(await read());
    const enough = before + Math.floor(Math.random() * 2) * 5_000;
    await until(async () => doneOf(await read()) > enough || (await read()).state === 'done', 'the import to go on', 30_000);
    service.process.kill('SIGKILL');
    await service.exited;
    await pool.query(`update imports set lease_until = clock_timestamp()`); // as if the lease had run out
    service = await startService({ DATABASE_URL: url });
  }
  await until(async () => (await read()).state === 'done', 'the import to end', 60_000);

  const { received, applied, unchanged, rejected } = await read();
  assert.deepEqual(
    { received, applied, unchanged, rejected },
    { received: rows, applied: rows - 151, unchanged: 1, rejected: 150 },
  );
  const good = lines.filter((line) => line.startsWith('user-')).toSorted();
  const stored = await pool.query<{ user_id: string }>(`select user_id from memberships order by user_id`);
  assert.deepEqual(
    stored.rows.map((row) => row.user_id),
    good,
  );
  const past = await pool.query(`select from past_memberships`);
  assert.equal(past.rowCount, 0);
  const { body } = await service.send('GET', '/v1/users/user-11/history?from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z');
  const { events } = body as { events: { operation: string; cause: string }[] };
  assert.deepEqual(
    events.map(({ operation, cause }) => `${operation} ${cause}`),
    ['add import'],
  );
});

test('of a million lines a thousand are broken: all others are applied, and these are told with their lines', async () => {
  const { url, pool } = await cloneDatabase();
  const service = await startService({ DATABASE_URL: url });
  await service.send('POST', '/v1/segments', { slug: 'A' });
  const lines = Array.from({ length: 1_000_000 }, (_, i) => (i % 1_000 === 499 ? `user ${i}` : `user-${i}`));
  const answer = await fetch(`${service.url}/v1/segments/A/imports?operation=add`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'text/csv' },
    body: lines.join('\r\n'),
  });
  const { id } = (await answer.json()) as { id: string };
  let told: Told | undefined;
  await until(
    async () => (told = (await service.send('GET', `/v1/imports/${id}`)).body as Told).state === 'done',
    'the import to end',
    240_000,
  );
  const { received, applied, unchanged, rejected } = told!;
  assert.deepEqual([received, applied, unchanged, rejected], [1_000_000, 999_000, 0, 1_000]);
  const { body } = await service.send('GET', `/v1/imports/${id}/rejects`);
  const expected = lines.flatMap((line, i) => (line.includes(' ') ? [`${i + 1},${line},invalid_user_id`] : []));
  assert.deepEqual((body as string).trimEnd().split('\r\n'), ['line,value,reason', ...expected]);
  const { rows: counted } = await pool.query<{ n: number }>(`select count(*) as n from memberships where user_id like 'user-%'`);
  assert.equal(counted[0]!.n, 999_000);
});

test('of a file that breaks off nothing is applied, and the same key may send it again', async () => {
  const { url, pool } = await cloneDatabase();
  const service = await startService({ DATABASE_URL: url });
  await service.send('POST', '/v1/segments', { slug: 'A' });
  const send = (body: string | ReadableStream) =>
    fetch(`${service.url}/v1/segments/A/imports?operation=add`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'text/plain', 'idempotency-key': 'k' },
      body,
      duplex: 'half',
    });
  const breaking = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('a\nb\n'.repeat(100_000)));
      setImmediate(() => controller.error(new Error('gone')));
    },
  });
  await assert.rejects(send(breaking));
  const state = async () =>
    (await pool.query<{ state: string }>(`select state from imports order by import_id`)).rows.map((row) => row.state);
  await until(async () => (await state()).every((one) => one === 'failed'), 'the broken import to be given up');
  const whole = (await (await send('a\nb\n')).json()) as { id: string };
  await until(async () => (await state()).at(-1) === 'done', 'the import to end');
  const again = (await (await send('a\nb\n')).json()) as { id: string };
  assert.equal(again.id, whole.id);
  assert.equal((await send('a\nb\nc\n')).status, 409);
  const { rows: members } = await pool.query(`select user_id from memberships order by user_id`);
  assert.deepEqual(members, [{ user_id: 'a' }, { user_id: 'b' }]);
  const { rows: tables } = await pool.query(`select relname from pg_class where relname like 'import_rows_%'`);
  assert.deepEqual(tables, []);
});
