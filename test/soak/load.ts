import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { adminKey, type Service } from '../support/service.ts';

/** What one worker does over and over, and the pause between. */
export interface Work {
  readonly name: string;
  readonly workers: number;
  readonly pauseMs: number;
  run(turn: number): Promise<unknown>;
}

const users = 2_000;
const slugs = ['A', 'B', 'C', 'D', 'E'];
const key = { authorization: `Bearer ${adminKey}` };
const json = { ...key, 'content-type': 'application/json' };
const anyOf = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;
const anyUser = () => `user-${Math.floor(Math.random() * users)}`;

/** Mixed load of all kinds. Their data are bounded, so that what grows is not theirs. */
export function worksOn(service: Service, count: (what: string) => void): Work[] {
  const ask = async (method: string, path: string, body?: string, headers: Record<string, string> = json): Promise<string> => {
    const answer = await fetch(service.url + path, { method, headers, ...(body === undefined ? {} : { body }) }).catch(
      () => undefined,
    );
    if (!answer) {
      count('no answer');
      return '{}';
    }
    const text = await answer.text();
    count(`${answer.status}${answer.status === 503 ? ` ${(JSON.parse(text) as { code: string }).code}` : ''}`);
    return text;
  };
  const month = () => new Date().toISOString().slice(0, 7);
  const past = () => new Date(Date.now() - 5_000).toISOString();
  const change = () => {
    const [one, other] = [anyOf(slugs), anyOf(slugs)];
    const end = Math.random() < 0.3 ? { ttl_seconds: 1 + Math.floor(Math.random() * 60) } : {};
    return Math.random() < 0.5 ? { add: [one], ...end } : { remove: [one], ...(one === other ? {} : { add: [other] }) };
  };
  const follow = async (path: string) => {
    const { url } = JSON.parse(await ask('GET', path)) as { url?: string };
    if (url) await ask('GET', new URL(url).pathname, undefined, {});
  };
  const ids = (from: number) => Array.from({ length: 500 }, (_, i) => `import-${from + i}`).join('\n');

  return [
    {
      name: 'reads',
      workers: 3,
      pauseMs: 5,
      run: () =>
        ask(
          'GET',
          `/v1/users/${anyUser()}/${anyOf(['segments', 'segments', 'segments?last_revision=true', `segments?at=${past()}`, 'segments/A', 'memberships', 'memberships?ended=true', `history?month=${month()}&limit=100`])}`,
        ),
    },
    {
      name: 'lookups',
      workers: 1,
      pauseMs: 50,
      run: () =>
        ask(
          'POST',
          '/v1/lookup',
          JSON.stringify({ user_ids: Array.from({ length: 200 }, anyUser), last_revision: Math.random() < 0.3 }),
        ),
    },
    {
      name: 'changes',
      workers: 2,
      pauseMs: 5,
      run: () => ask('PATCH', `/v1/users/${anyUser()}/segments`, JSON.stringify(change())),
    },
    {
      name: 'imports',
      workers: 1,
      pauseMs: 1_000,
      run: (turn) =>
        ask('POST', `/v1/segments/E/imports?operation=${anyOf(['add', 'remove', 'replace'])}`, ids(500 * (turn % 4)), {
          ...key,
          'content-type': 'text/plain',
        }),
    },
    {
      name: 'exports',
      workers: 1,
      pauseMs: 500,
      run: () => ask('GET', `/v1/segments/${anyOf(slugs)}/members`, undefined, { ...key, accept: 'text/csv' }),
    },
    {
      name: 'reports',
      workers: 1,
      pauseMs: 1_000,
      run: () =>
        follow(
          anyOf([
            `/v1/users/${anyUser()}/report?month=${month()}`,
            `/v1/reports/history?month=${month()}`,
            `/v1/reports/history?month=${month()}&segment=E`,
          ]),
        ),
    },
    {
      name: 'segments',
      workers: 1,
      pauseMs: 1_000,
      async run(turn) {
        await ask('GET', '/v1/segments');
        await ask('PATCH', '/v1/segments/D?dry_run=true', '{"percent":50}');
        if (turn % 5 !== 0) return;
        await ask('PATCH', '/v1/segments/D', JSON.stringify({ percent: turn % 100 }));
        if (turn % 10 === 0) await ask('POST', '/v1/segments', '{"slug":"SHORT-LIVED","percent":5}');
        else await ask('DELETE', '/v1/segments/SHORT-LIVED', undefined, key);
      },
    },
    {
      name: 'refused',
      workers: 1,
      pauseMs: 20,
      run: () =>
        anyOf([
          () => ask('POST', '/v1/segments', '{"slug":'),
          () => ask('POST', '/v1/segments', `{"slug":"A","x":"${'x'.repeat(100_000)}"}`),
          () => ask('PATCH', '/v1/users/1/segments', '{"add":["no-such"]}'),
          () => ask('GET', '/v1/nowhere'),
          () => ask('GET', '/v1/segments', undefined, {}),
          () => ask('GET', '/v1/users/%00/segments'),
          () => ask('POST', '/v1/lookup', JSON.stringify({ user_ids: Array.from({ length: 5_000 }, () => 1) })),
        ])(),
    },
    {
      name: 'figures',
      workers: 1,
      pauseMs: 2_000,
      run: () => Promise.all(['/metrics', '/healthz', '/readyz', '/openapi.json'].map((path) => ask('GET', path))),
    },
    { name: 'broken off', workers: 1, pauseMs: 100, run: () => breakOff(service, month()) },
  ];
}

/** Half a head, half a body, half a file, and answers that nobody waits for. */
async function breakOff({ url }: Service, month: string) {
  const { port, hostname } = new URL(url);
  const head = (method: string, path: string, ...more: string[]) =>
    [`${method} ${path} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${adminKey}`, ...more, '', ''].join('\r\n');
  const text = anyOf([
    '',
    'GET /v1/segments HTTP/1.1\r\nHo',
    `${head('POST', '/v1/segments', 'Content-Type: application/json', 'Content-Length: 100')}{"slug":`,
    `${head('POST', '/v1/segments/E/imports?operation=add', 'Content-Type: text/plain', 'Content-Length: 1000')}1\n2\n`,
    head('GET', '/v1/segments/E/members', 'Accept: text/csv'),
    head('GET', `/v1/users/user-1/history?month=${month}`),
    head('PATCH', '/v1/segments/D?dry_run=true', 'Content-Type: application/json', 'Content-Length: 14') + '{"percent":50}',
  ]);
  const socket = connect(Number(port), hostname).on('error', () => {});
  socket.write(text);
  await wait(5 + Math.random() * 50);
  if (Math.random() < 0.5) socket.resetAndDestroy();
  else socket.destroy();
}

/** Makes what the load asks about. */
export async function prepare(service: Service) {
  for (const slug of slugs) assert.equal((await service.send('POST', '/v1/segments', { slug })).status, 201);
  for (let user = 0; user < users; user += 50) {
    const batch = Array.from({ length: 50 }, (_, i) =>
      service.send('PATCH', `/v1/users/user-${user + i}/segments`, { add: [anyOf(slugs)] }),
    );
    for (const { status } of await Promise.all(batch)) assert.equal(status, 200);
  }
}
