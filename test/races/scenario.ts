import { finished } from '../support/imports.ts';
import pg from 'pg';
import { factsStore } from '../../src/reading/facts.store.ts';
import { definitionsStore } from '../../src/segments/definitions.store.ts';
import { randomSource } from '../model/random-history.ts';
import { type Call, startApp, type TestApp } from '../support/app.ts';
import { type Acknowledged, brokenAcknowledgements, segmentsOf, violationsOf } from './check.ts';

type Random = ReturnType<typeof randomSource>;

export interface Scenario {
  seed: number;
  /** Replaces text in a function of the database before anything runs: a fault, planted to see it found. */
  fault?: { functionName: string; from: string; to: string };
  /** Whatever else is to go on for as long as it says that the race does. */
  meanwhile?: (app: TestApp, isRunning: () => boolean) => Promise<void>;
  /** Calls of each of the two processes' writers. */
  rounds?: number;
  /** Whether files of the same users are imported meanwhile. */
  withImports?: boolean;
}

const users = ['u1', 'u2', 'u3'];
const slugs = ['A', 'B', 'C', 'D'];

/**
 * Writers of two processes on three users, ends some milliseconds away, while the segments they name are deleted, made
 * again and given other percentages, readers ask about moments just passed, and a foreign transaction idles in another
 * database. Answers all that is wrong afterwards.
 */
export async function hurt({ seed, fault, rounds = 60, meanwhile, withImports = false }: Scenario): Promise<string[]> {
  const random = randomSource(seed);
  const first = await startApp({ imports: { batchSize: 3 } });
  const calls = [patient(first.call), patient(await first.another())] as const;
  const [call] = calls;
  if (fault) await plant(first, fault);
  await using foreign = await idleElsewhere(first);
  void foreign;
  for (const slug of slugs) await call('POST', '/v1/segments', { slug, percent: slug === 'B' ? 50 : 0 });

  const acknowledged: Acknowledged[] = [];
  const asked: { userId: string; moment: number; segments: string[] }[] = [];
  const unexpected: string[] = [];
  let isRunning = true;
  const note = (what: string) => unexpected.push(what);

  const writers = Array.from({ length: 8 }, (_, i) => write(calls[i % 2]!, random, rounds, acknowledged, note));
  const definitions = redefine(call, random, () => isRunning, note);
  const importers = withImports ? calls.map((one) => importFiles(one, random, () => isRunning, note)) : [];
  const readers = calls.map((one) => readThePast(one, random, () => isRunning, asked));
  const other = meanwhile?.(first, () => isRunning);
  await Promise.allSettled(writers);
  isRunning = false;
  await Promise.allSettled([...writers, definitions, ...importers, ...readers, other]); // none may go on when another has failed
  await Promise.all([...writers, definitions, ...importers, ...readers, other]);

  const changed = await changedAnswers(call, asked);
  return [...unexpected, ...changed, ...(await brokenAcknowledgements(first, acknowledged)), ...(await brokenFacts(first))];
}

/** Asks again where the answer was that it cannot be known yet, or not done for load: on a busy machine that is no fault. */
const patient =
  (call: Call): Call =>
  async (...asked) => {
    for (;;) {
      const answer = await call(...asked);
      if (!['moment_not_settled', 'definitions_busy', 'overloaded'].includes(answer.body?.code)) return answer;
    }
  };

async function write(call: Call, random: Random, rounds: number, acknowledged: Acknowledged[], note: (what: string) => void) {
  for (let i = 0; i < rounds; i++) {
    const userId = random.one(users);
    const named = slugs.filter(() => random.chance(0.5));
    const add = named.filter(() => random.chance(0.6));
    const remove = named.filter((slug) => !add.includes(slug));
    if (named.length === 0) continue;
    const end =
      random.chance(0.5) && add.length > 0 ? { expires_at: new Date(Date.now() + 3 + random.below(20)).toISOString() } : {};
    const { status, body, text } = await call('PATCH', `/v1/users/${userId}/segments`, { add, remove, ...end });
    if (status === 200) acknowledged.push({ userId, named, answer: body as Acknowledged['answer'], answeredAt: Date.now() });
    else if (status !== 404 && !(status === 400 && text.includes('must lie in the future'))) note(`PATCH: ${status} ${text}`);
  }
}

/** Files of some of the users, one after the other; what was received is accounted for to the last row. */
async function importFiles(call: Call, random: Random, isRunning: () => boolean, note: (what: string) => void) {
  while (isRunning()) {
    const operation = random.one(['add', 'add', 'remove', 'replace']);
    const end = operation !== 'remove' && random.chance(0.3) ? '&ttl_seconds=1' : '';
    const file = users.filter(() => random.chance(0.7)).join('\n');
    const headers = { 'content-type': 'text/plain' };
    const sent = await call('POST', `/v1/segments/${random.one(slugs)}/imports?operation=${operation}${end}`, file, headers);
    if (sent.status === 404) continue; // the segment was being made anew
    if (sent.status !== 202) {
      note(`an import: ${sent.status} ${sent.text}`);
      continue;
    }
    const { state, error, received, applied, unchanged, rejected } = await finished(call, sent.body.id);
    if (state === 'failed' && error === 'segment_deleted') continue;
    if (state !== 'done' || received !== applied + unchanged + rejected)
      note(`an import ended as ${state}, ${error}: ${received} rows, ${applied} ${unchanged} ${rejected}`);
  }
}

async function redefine(call: Call, random: Random, isRunning: () => boolean, note: (what: string) => void) {
  while (isRunning()) {
    const slug = random.one(slugs);
    const percent = random.one([0, 30, 70, 100]);
    const what = random.below(3);
    const answers = [
      what === 0 && (await call('PATCH', `/v1/segments/${slug}`, { percent })),
      what > 0 && (await call('DELETE', `/v1/segments/${slug}`)),
      what > 0 && (await call('POST', '/v1/segments', { slug, percent })),
    ];
    for (const answer of answers) if (answer && answer.status >= 300) note(`a segment: ${answer.status} ${answer.text}`);
  }
}

/** Asks where users were at moments just passed, and keeps what it was told. */
async function readThePast(
  call: Call,
  random: Random,
  isRunning: () => boolean,
  asked: { userId: string; moment: number; segments: string[] }[],
) {
  while (isRunning()) {
    const userId = random.one(users);
    const moment = Date.now() - random.below(4);
    asked.push({ userId, moment, segments: await segmentsOf(call, userId, moment) });
  }
}

async function changedAnswers(call: Call, asked: readonly { userId: string; moment: number; segments: string[] }[]) {
  const found: string[] = [];
  for (const { userId, moment, segments } of asked) {
    const now = await segmentsOf(call, userId, moment);
    if (JSON.stringify(now) !== JSON.stringify(segments))
      found.push(`${userId} at ${moment}: answered ${segments.join()}, now ${now.join()}`);
  }
  return found;
}

async function brokenFacts({ database }: TestApp): Promise<string[]> {
  const facts = factsStore(database, definitionsStore(database));
  const read = await Promise.all(users.map((userId) => facts.since(userId, -Infinity)));
  return read.flatMap((one) => violationsOf(one.facts));
}

async function plant({ database }: TestApp, { functionName, from, to }: NonNullable<Scenario['fault']>) {
  const { rows } = await database.pool.query<{ definition: string }>(`select pg_get_functiondef($1::regproc) as definition`, [
    functionName,
  ]);
  const { definition } = rows[0]!;
  if (!definition.includes(from)) throw new Error(`${functionName} has no "${from}"`);
  await database.pool.query(definition.replace(from, to));
}

/** A transaction with an id of its own that does nothing, in the server's maintenance database. */
async function idleElsewhere({ database }: TestApp): Promise<AsyncDisposable> {
  const url = new URL(database.url.replace('@/', '@localhost/'));
  const { host, port, user } = database.connection;
  const client = new pg.Client(
    host ? { host, port, user, database: 'postgres' } : { connectionString: Object.assign(url, { pathname: '/postgres' }).href },
  );
  await client.connect();
  await client.query('begin; select pg_current_xact_id()');
  return { [Symbol.asyncDispose]: () => client.end() };
}
