import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type Answer, type Call, startApp } from '../../test/support/app.ts';
import { checkOfrep } from '../../test/support/ofrep.ts';
import { findRedis } from '../../test/support/redis.ts';
import { until } from '../../test/support/service.ts';
import type { ReadingOptions } from '../app.ts';
import { newKey } from '../access/key.ts';

const path = '/ofrep/v1/evaluate/flags';
const question = (targetingKey: string) => ({ context: { targetingKey } });

/** Whose answers are held against the protocol, besides our own document. */
const checked =
  (by: Call): Call =>
  async (method, url, body, headers) => {
    const answer = await by(method, url, body, headers);
    checkOfrep(url.startsWith(`${path}/`) ? 'single' : 'bulk', answer);
    return answer;
  };
const flagsOf = ({ body }: Answer) =>
  Object.fromEntries((body.flags as { key: string }[]).map(({ key, ...rest }) => [key, rest])) as Record<
    string,
    { value: boolean; reason: string; variant: string; metadata: Record<string, unknown> }
  >;

const redis = await findRedis();
for (const { reading, skip } of [
  { reading: { cache: 'off' }, skip: false },
  { reading: { cache: 'snapshot' }, skip: false },
  { reading: { cache: 'redis', redisUrl: redis.url }, skip: redis.skip },
] as { reading: Partial<ReadingOptions>; skip: string | false }[]) {
  describe(`with CACHE=${reading.cache}`, { skip }, async () => {
    const { as, call } = await startApp({ reading });
    const ask = checked(as('evaluate'));
    const evaluate = async (slug: string, userId: string) =>
      (await ask('POST', `${path}/${slug}`, question(userId))).body as Record<string, unknown>;
    const change = async (userId: string, body: object) =>
      assert.equal((await call('PATCH', `/v1/users/${userId}/segments`, body)).status, 200);
    const why = async (slug: string, userId: string) => (await call('GET', `/v1/users/${userId}/segments/${slug}`)).body;

    before(async () => {
      await call('POST', '/v1/segments', { slug: 'A' });
      await call('POST', '/v1/segments', { slug: 'ALL', percent: 100 });
      await call('POST', '/v1/segments', { slug: 'G1', percent: 100, exclusive_group: 'G' });
      await call('POST', '/v1/segments', { slug: 'G2', exclusive_group: 'G' });
      await call('POST', '/v1/segments', { slug: 'NONE', percent: 0.01, salt: 'x' });
      await change('in', { add: ['A', 'ALL'] });
      await change('out', { remove: ['ALL'] });
      await change('brief', { add: ['A'], ttl_seconds: 3600 });
      await change('taken', { add: ['G2'], ttl_seconds: 3600, replace_in_group: true });
    });

    test('says whether a user is in, and why, in the words of the protocol', async () => {
      const byHand = { reason: 'TARGETING_MATCH', variant: 'in' };
      const bucket = (await why('ALL', 'in')).rollout.bucket as number;
      for (const [slug, userId, expected] of [
        ['A', 'in', { value: true, ...byHand, metadata: { because: 'added' } }],
        ['ALL', 'in', { value: true, ...byHand, metadata: { because: 'added', bucket } }],
        ['A', 'nobody', { value: false, reason: 'STATIC', variant: 'out', metadata: { because: 'not_in' } }],
      ] as const)
        assert.deepEqual(await evaluate(slug, userId), { key: slug, ...expected });
    });

    test('tells the bucket and the next change as why does, of every kind of answer', async () => {
      for (const [slug, userId, value, reason, because] of [
        ['ALL', 'nobody', true, 'SPLIT', 'rollout'],
        ['ALL', 'out', false, 'TARGETING_MATCH', 'excluded'],
        ['A', 'brief', true, 'TARGETING_MATCH', 'added'],
        ['G1', 'taken', false, 'SPLIT', 'group_taken'],
        ['G2', 'taken', true, 'TARGETING_MATCH', 'added'],
        ['G2', 'nobody', false, 'STATIC', 'not_in'],
        ['NONE', 'nobody', false, 'STATIC', 'not_in'],
      ] as const) {
        const { until: end, rollout } = await why(slug, userId);
        const metadata = { because, ...(rollout && { bucket: rollout.bucket }), ...(end && { until: end }) };
        const variant = value ? 'in' : 'out';
        assert.deepEqual(await evaluate(slug, userId), { key: slug, value, reason, variant, metadata });
      }
    });

    test('tells all segments by slug, each as it is told alone', async () => {
      for (const userId of ['in', 'out', 'brief', 'taken', 'nobody']) {
        const { status, body } = await ask('POST', path, question(userId));
        assert.equal(status, 200);
        assert.deepEqual(
          body.flags.map(({ key }: { key: string }) => key),
          ['A', 'ALL', 'G1', 'G2', 'NONE'],
        );
        for (const flag of body.flags) assert.deepEqual(await evaluate(flag.key, userId), flag);
      }
    });

    test('sees an end and a planned start at their moment, and says before when that will be', async () => {
      const startsAt = Date.now() + 500;
      const moments = [startsAt, startsAt + 500].map((moment) => new Date(moment).toISOString());
      await change('planned', { add: ['A'], starts_at: moments[0], expires_at: moments[1] });
      const seen: unknown[] = [];
      await until(async () => {
        const { value, metadata } = await evaluate('A', 'planned');
        const told = [value, (metadata as { until?: string }).until];
        if (JSON.stringify(seen.at(-1)) !== JSON.stringify(told)) seen.push(told);
        return seen.length === 3;
      }, 'the end');
      assert.deepEqual(seen, [
        [false, moments[0]],
        [true, moments[1]],
        [false, undefined],
      ]);
    });

    test('answers 304 while nothing changed, to whom the tag was given', async () => {
      const first = await ask('POST', path, question('tagged'));
      const etag = String(first.headers.etag);
      assert.match(etag, /^"[\w-]{22}"$/);
      for (const header of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await ask('POST', path, question('tagged'), { 'if-none-match': header });
        assert.deepEqual([again.status, again.text, again.headers.etag], [304, '', etag], header);
      }
      assert.equal((await ask('POST', path, question('other'), { 'if-none-match': etag })).status, 200);
      await change('tagged', { add: ['A'] });
      const changed = await ask('POST', path, question('tagged'), { 'if-none-match': etag });
      assert.deepEqual([changed.status, flagsOf(changed).A!.value], [200, true]);
    });

    test('an answer to what a stream has told is no older than that', async () => {
      const { body } = await call('PATCH', '/v1/users/told/segments', { add: ['A'] });
      for (const since of [body.as_of, '1', '2999-01-01T00:00:00Z', 'nonsense', String(Math.floor(Date.now() / 1000))]) {
        const answer = await ask('POST', `${path}?flagConfigLastModified=${since}&flagConfigEtag=x`, question('told'));
        assert.deepEqual([answer.status, flagsOf(answer).A!.value], [200, true], since);
      }
    });
  });
}

describe('what is asked otherwise', async () => {
  const { app, as, call, keys } = await startApp();
  const ask = checked(as('evaluate'));
  await call('POST', '/v1/segments', { slug: 'A' });

  for (const [what, body, code] of [
    ['no context', {}, 'INVALID_CONTEXT'],
    ['a context that is no object', { context: 'x' }, 'INVALID_CONTEXT'],
    ['no object', [], 'INVALID_CONTEXT'],
    ['no targeting key', { context: { userId: '1' } }, 'TARGETING_KEY_MISSING'],
    ['an empty targeting key', question(''), 'TARGETING_KEY_MISSING'],
    ['a targeting key that is null', { context: { targetingKey: null } }, 'TARGETING_KEY_MISSING'],
    ['a targeting key that is a number', { context: { targetingKey: 1000 } }, 'INVALID_CONTEXT'],
    ['a targeting key that is no user id', question('a b'), 'INVALID_CONTEXT'],
    ['no JSON', 'x', 'PARSE_ERROR'],
    ['nothing', '', 'PARSE_ERROR'],
    ['a field twice', '{"context":{"targetingKey":"1"},"context":{}}', 'PARSE_ERROR'],
  ] as const) {
    test(`${what} is ${code}`, async () => {
      const one = await ask('POST', `${path}/A`, body, { 'content-type': 'application/json' });
      assert.deepEqual([one.status, one.body.key, one.body.errorCode], [400, 'A', code]);
      const all = await ask('POST', path, body, { 'content-type': 'application/json' });
      assert.deepEqual([all.status, Object.keys(all.body), all.body.errorCode], [400, ['errorCode', 'errorDetails'], code]);
    });
  }

  test('a context may hold whatever it likes', async () => {
    const context = { targetingKey: '1', plan: null, nested: { deep: [1, { a: {} }] }, __proto__: 1, 'a b': true };
    assert.equal((await ask('POST', `${path}/A`, { context, more: 1 })).status, 200);
    assert.equal((await ask('POST', path, { context, more: 1 })).status, 200);
  });

  test('a flag that is no segment, or could be none, is not found, and a deleted segment neither', async () => {
    await call('POST', '/v1/segments', { slug: 'GONE' });
    await call('PATCH', '/v1/users/1/segments', { add: ['GONE'] });
    await call('DELETE', '/v1/segments/GONE');
    for (const key of ['NO', 'GONE', '', 'a%20b', '..%2f', 'x'.repeat(3_000)]) {
      const { status, body } = await ask('POST', `${path}/${key}`, question('1'));
      assert.deepEqual([status, body.key, body.errorCode], [404, decodeURIComponent(key), 'FLAG_NOT_FOUND']);
    }
    const all = await ask('POST', path, question('1'));
    assert.deepEqual(Object.keys(flagsOf(all)), ['A']);
  });

  test('a path that cannot be decoded is an answer of the protocol too, to whoever has a key', async () => {
    const { status, body } = await ask('POST', `${path}/%zz`, question('1'));
    assert.deepEqual([status, body.key, body.errorCode], [400, '%zz', 'PARSE_ERROR']);
    assert.equal((await checked(as(null))('POST', `${path}/%zz`, question('1'))).status, 401);
    assert.equal((await as('read')('POST', `${path}/%zz/more`, question('1'))).body.code, 'invalid_request');
  });

  test('refusals have the form of the protocol', async () => {
    const noBody = checked(as(null));
    for (const url of [path, `${path}/A`]) {
      const unauthorized = await noBody('POST', url, question('1'));
      assert.deepEqual([unauthorized.status, Object.keys(unauthorized.body)], [401, ['errorDetails']]);
      const type = await ask('POST', url, 'x', { 'content-type': 'text/plain' });
      assert.equal(type.status, 415);
      assert.equal((await ask('POST', url, { context: { targetingKey: '1', x: 'x'.repeat(1_048_576) } })).status, 413);
    }
  });

  test('the key comes as Bearer or as X-API-Key, and Bearer is the one where both come', async () => {
    const without = checked(as(null));
    for (const url of [path, `${path}/A`]) {
      for (const [headers, status] of [
        [{ 'x-api-key': keys.evaluate }, 200],
        [{ 'X-API-KEY': keys.read }, 200],
        [{ 'x-api-key': newKey() }, 401],
        [{ 'x-api-key': '' }, 401],
        [{ 'x-api-key': `Bearer ${keys.evaluate}` }, 401],
        [{ authorization: `Bearer ${newKey()}`, 'x-api-key': keys.evaluate }, 401],
        [{ authorization: `Bearer ${keys.evaluate}`, 'x-api-key': newKey() }, 200],
      ] as [Record<string, string>, number][])
        assert.equal((await without('POST', url, question('1'), headers)).status, status, JSON.stringify(headers));
    }
  });

  test('a key for browsers may ask nothing else', async () => {
    for (const url of ['/v1/segments', '/v1/users/1/segments', '/v1/changes', '/metrics'])
      assert.equal((await as('evaluate')('GET', url)).status, 403, url);
    assert.equal((await as(null)('GET', '/v1/key', undefined, { 'x-api-key': keys.evaluate })).status, 401);
  });

  test('a revoked key is refused', async () => {
    const { body } = await as('admin')('POST', '/v1/keys', { name: 'page', scope: 'evaluate' });
    const headers = { 'x-api-key': body.key as string };
    const without = checked(as(null));
    assert.equal((await without('POST', path, question('1'), headers)).status, 200);
    assert.equal((await as('admin')('DELETE', '/v1/keys/page')).status, 204);
    for (const url of [path, `${path}/A`]) assert.equal((await without('POST', url, question('1'), headers)).status, 401);
  });

  test('asking changes nothing', async () => {
    assert.equal((await call('GET', '/v1/users/nobody/segments')).body.segments, null);
    await ask('POST', path, question('nobody'));
    assert.equal(
      (await app.inject({ method: 'GET', url: path, headers: { authorization: `Bearer ${keys.read}` } })).statusCode,
      405,
    );
  });
});

describe('limits', async () => {
  const { as } = await startApp({ limits: { readsPerSecond: 2 } });
  test('a key that asks too often is told when to ask again', async () => {
    const ask = checked(as('evaluate'));
    let answer = await ask('POST', path, question('1'));
    for (let i = 0; i < 2; i++) answer = await ask('POST', path, question('1'));
    assert.deepEqual([answer.status, answer.headers['retry-after']], [429, '1']);
  });
});
