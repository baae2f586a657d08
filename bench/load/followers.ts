/**
 * Many readers of one stream while changes are made, and whether each of them had every event in order, and when. Told by the
 * environment; answers JSON. The events' moments are the database's clock, so that must be this machine's.
 */
import { once } from 'node:events';
import http from 'node:http';

const {
  FOLLOW_URL = '',
  CHANGE_URL = '',
  KEY = '',
  SLUG = '',
  USERS = '',
  FOLLOWERS = '1000',
  PER_SECOND = '1000',
  SECONDS = '10',
} = process.env;
const [followerCount, perSecond, seconds] = [FOLLOWERS, PER_SECOND, SECONDS].map(Number) as [number, number, number];
const headers = { authorization: `Bearer ${KEY}` };
const changeCount = perSecond * seconds;

/** All events as they came first to anybody; everybody's are compared with it byte by byte. */
let known = Buffer.alloc(64 * 1024 * 1024);
let knownBytes = 0;
/** Of each whole event in it: where it ends, and its moment. */
const ends: number[] = [];
const moments: number[] = [];

/** How many deliveries took so many milliseconds. */
const delays = new Uint32Array(60_000);
let deliveries = 0;

function extend(bytes: Buffer) {
  if (knownBytes + bytes.length > known.length) known = Buffer.concat([known], known.length * 2);
  bytes.copy(known, knownBytes);
  knownBytes += bytes.length;
  for (let from = ends.at(-1) ?? 0; ;) {
    const end = known.subarray(0, knownBytes).indexOf('\n\n', from);
    if (end < 0) return;
    const [, moment] = /\nid: (\d+)/.exec(known.toString('latin1', from, end)) ?? [];
    if (moment === undefined) throw new Error(`this is no event: ${known.toString('latin1', from, end)}`);
    moments.push(Number(moment));
    ends.push(end + 2);
    from = end + 2;
  }
}

async function follow() {
  const request = http.get(`${FOLLOW_URL}/v1/changes`, { headers, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`a follower was answered ${response.statusCode}`);
  const follower = { events: 0 };
  let [at, isBegun] = [0, false];
  response.on('data', (piece: Buffer) => {
    let bytes = piece;
    if (!isBegun) {
      const first = bytes.indexOf('event: ');
      if (first < 0) return;
      bytes = bytes.subarray(first);
      isBegun = true;
    }
    const overlap = Math.min(bytes.length, knownBytes - at);
    if (known.compare(bytes, 0, overlap, at, at + overlap) !== 0) throw new Error('two followers were told different things');
    if (overlap < bytes.length) extend(bytes.subarray(overlap));
    at += bytes.length;
    const now = Date.now();
    for (; follower.events < ends.length && ends[follower.events]! <= at; follower.events++) {
      delays[Math.min(delays.length - 1, Math.max(0, now - moments[follower.events]!))]!++;
      deliveries++;
    }
  });
  response.on('close', () => {
    if (!isOver) throw new Error('a follower was cut');
  });
  return { follower, request };
}

let isOver = false;
const followers: Awaited<ReturnType<typeof follow>>[] = [];
for (let i = 0; i < followerCount; i += 20)
  followers.push(...(await Promise.all(Array.from({ length: Math.min(20, followerCount - i) }, follow))));

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const body = JSON.stringify({ add: [SLUG] });
async function change(n: number) {
  const request = http.request(`${CHANGE_URL}/v1/users/${USERS}-${n}/segments`, {
    method: 'PATCH',
    agent,
    headers: { ...headers, 'content-type': 'application/json', 'content-length': body.length },
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  if (response.statusCode !== 200) throw new Error(`a PATCH was answered ${response.statusCode}`);
}

const startedAt = performance.now();
const changes: Promise<void>[] = [];
while (changes.length < changeCount) {
  const due = Math.min(changeCount, Math.floor(((performance.now() - startedAt) / 1000) * perSecond));
  while (changes.length < due) changes.push(change(changes.length));
  await new Promise((resolve) => void setTimeout(resolve, 2));
}
await Promise.all(changes);
const changedIn = (performance.now() - startedAt) / 1000;
const giveUpAt = performance.now() + 60_000;
while (followers.some(({ follower }) => follower.events < changeCount)) {
  if (performance.now() > giveUpAt) throw new Error('not everybody had every event within a minute');
  await new Promise((resolve) => void setTimeout(resolve, 10));
}

const percentile = (share: number) => {
  let left = Math.ceil(deliveries * share);
  return delays.findIndex((count) => (left -= count) <= 0);
};
process.stdout.write(
  JSON.stringify({
    deliveries,
    changesPerSecond: changeCount / changedIn,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    maxMs: percentile(1),
  }),
);
isOver = true;
for (const { request } of followers) request.destroy();
agent.destroy();
