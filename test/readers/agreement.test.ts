import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomSource } from '../model/random-history.ts';
import { type Call, startApp } from '../support/app.ts';
import { importFile } from '../support/imports.ts';
import { findRedis } from '../support/redis.ts';
import { until } from '../support/service.ts';

const seed = Number(process.env.RACE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const redis = await findRedis();

/** A segment that is changed by imports alone. */
const files = 'FILES';

interface Acknowledged {
  segments: string[] | null;
  revision: string;
  /** By the clock of the machine, which is the database's here. */
  at: number;
}

/**
 * Every reader in a process of its own, on one database, while writers change users through any of them. Each user has one
 * writer, who therefore knows what there is to be read.
 */
test(`the readers agree while others write (RACE_SEED=${seed})`, async () => {
  const { call: memory, another } = await startApp({ reading: { cache: 'snapshot' }, imports: { batchSize: 3 } });
  const apps: Call[] = [memory, await another({ cache: 'off' }), await another({ cache: 'snapshot' })];
  if (!redis.skip) for (let i = 0; i < 2; i++) apps.push(await another({ cache: 'redis', redisUrl: redis.url }));
  const slugs = ['A', 'B', 'C', 'D', 'E'];
  for (const slug of slugs) await memory('POST', '/v1/segments', { slug, percent: slug === 'E' ? 40 : 0 });
  await memory('POST', '/v1/segments', { slug: files });

  const wrong: string[] = [];
  const importing = importFiles(apps, randomSource(seed - 1), wrong);
  const last = await Promise.all(
    Array.from({ length: 12 }, (_, i) => write(apps, `u${i}`, randomSource(seed + i), slugs, wrong)),
  );
  const imported = await importing;
  assert.deepEqual(wrong, []);

  // When all is still, all of them say the same of everybody, and it is what was acknowledged last.
  const user_ids = last.map((_, i) => `u${i}`);
  const newest = [...last, ...imported].map(({ revision }) => revision).reduce((a, b) => (BigInt(a) > BigInt(b) ? a : b));
  const expected = (await memory('POST', '/v1/lookup', { user_ids, last_revision: true })).body.users;
  for (const [i, { segments }] of last.entries()) assert.ok(isSame(expected[i].segments, segments), `u${i}`);
  for (const [i, app] of apps.entries()) {
    const lookUp = async (flags: object) => (await app('POST', '/v1/lookup', { user_ids, ...flags })).body.users as unknown;
    for (const flags of [{ min_revision: newest }, { last_revision: true }])
      assert.deepEqual(await lookUp(flags), expected, `app ${i}, ${JSON.stringify(flags)}`);
    // Without a flag an answer may be a moment old: it comes to the same.
    await until(
      async () => JSON.stringify(await lookUp({})) === JSON.stringify(expected),
      `app ${i} to say what was acknowledged last`,
    );
  }
});

/**
 * Files of the same users into a segment that nobody else writes, of which each app carries out some: what it puts into its
 * memory by itself is of that segment alone.
 */
async function importFiles(apps: Call[], random: ReturnType<typeof randomSource>, wrong: string[]) {
  const imported: { revision: string }[] = [];
  for (let i = 0; i < 12; i++) {
    const file = Array.from({ length: 12 }, (_, n) => `u${n}\n`).filter(() => random.chance(0.6));
    const operation = random.one(['add', 'replace', 'remove']);
    const { state, revision } = await importFile(random.one(apps), files, `operation=${operation}`, file.join(''));
    if (state !== 'done') wrong.push(`an import ended as ${state}`);
    if (revision !== null) imported.push({ revision });
  }
  return imported;
}

async function write(apps: Call[], userId: string, random: ReturnType<typeof randomSource>, slugs: string[], wrong: string[]) {
  const url = `/v1/users/${userId}/segments`;
  let known: Acknowledged = { segments: null, revision: '0', at: 0 };
  for (let i = 0; i < 25; i++) {
    const named = slugs.filter(() => random.chance(0.5));
    const add = named.filter(() => random.chance(0.6));
    if (named.length > 0) {
      const { status, body, text } = await random.one(apps)('PATCH', url, {
        add,
        remove: named.filter((slug) => !add.includes(slug)),
      });
      if (status === 200) known = { segments: body.segments, revision: body.revision, at: Date.now() };
      else wrong.push(`PATCH ${status} ${text}`);
    }
    for (const [which, app] of apps.entries()) {
      const asked = await app('GET', `${url}?min_revision=${known.revision}`);
      const say = (what: string) => wrong.push(`app ${which}, ${userId}: ${what}: ${asked.text}, known ${JSON.stringify(known)}`);
      if (known.at > 0 && !isSame(asked.body.segments, known.segments)) say('with min_revision');
      const { body } = await app('GET', url);
      // Every change acknowledged before `as_of` is in the answer: nobody promises more than that.
      if (known.at > 0 && Date.parse(body.as_of) > known.at && !isSame(body.segments, known.segments))
        say(`default ${JSON.stringify(body)}`);
    }
  }
  return known;
}

/** Apart from what files do meanwhile. */
const isSame = (one: string[] | null, other: string[] | null) => {
  const [a, b] = [one, other].map((segments) => (segments ?? []).filter((slug) => slug !== files).join());
  return a === b;
};
