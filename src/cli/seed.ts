import { setTimeout as wait } from 'node:timers/promises';
import { CommandError } from './connect.ts';
import { send, type Server, serverOf } from './server.ts';

export interface SeedOptions {
  readonly url?: string | undefined;
  readonly users?: string | undefined;
  readonly segments?: string | undefined;
}

/** Ids that are made at once. */
const pieceRows = 10_000;

/**
 * `seed`: segments DEMO_01, DEMO_02, … and so many users user-1, user-2, … in them by hand: in the first all, in each further
 * one its share of them, 1/2, 1/3, and so on; every fifth segment for a week only, every seventh with 10 percent besides.
 */
export async function seed({ url, users, segments }: SeedOptions, log: (line: string) => void): Promise<number> {
  const [userCount, segmentCount] = [
    countOf('--users', users ?? '100000', 100_000_000),
    countOf('--segments', segments ?? '10', 99),
  ];
  const server = serverOf(url);
  for (let n = 1; n <= segmentCount; n++) {
    const slug = `DEMO_${String(n).padStart(2, '0')}`;
    const body = JSON.stringify({ slug, description: 'Made by segmentd seed', percent: n % 7 === 0 ? 10 : 0 });
    await send(server, '/v1/segments', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const ttl = n % 5 === 0 ? '&ttl_seconds=604800' : '';
    const answer = await send(server, `/v1/segments/${slug}/imports?operation=add${ttl}`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: ReadableStream.from(idsOf(userCount, n)),
      duplex: 'half',
    });
    const { received } = await ended(server, ((await answer.json()) as { id: string }).id);
    log(`${slug}: ${received.toLocaleString('en')} users`);
  }
  return 0;
}

/** Every n-th user, beginning where no other segment does. */
function* idsOf(userCount: number, n: number): Generator<Uint8Array> {
  let text = '';
  let rows = 0;
  for (let id = n; id <= userCount; id += n) {
    text += `user-${id}\n`;
    if (++rows % pieceRows !== 0) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

async function ended(server: Server, id: string): Promise<{ received: number }> {
  for (;;) {
    const told = (await (await send(server, `/v1/imports/${id}`)).json()) as { state: string; received: number };
    if (told.state === 'done') return told;
    if (told.state !== 'running') throw new CommandError(`The import ${id} ended as ${told.state}.`);
    await wait(250);
  }
}

function countOf(name: string, text: string, most: number): number {
  const count = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : NaN;
  if (!(count <= most)) throw new CommandError(`${name} must be a whole number from 1 to ${most}; got ${text}.`);
  return count;
}
