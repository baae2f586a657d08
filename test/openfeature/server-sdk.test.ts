import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { ErrorCode, OpenFeature } from '@openfeature/server-sdk';
import { startApp } from '../support/app.ts';
import { until } from '../support/service.ts';

/** OpenFeature's own SDK for servers, with the provider that others wrote, sees what segmentd does. */
for (const [name, headerOf] of [
  ['Authorization', (key: string) => ({ Authorization: `Bearer ${key}` })],
  ['X-API-Key', (key: string) => ({ 'X-API-Key': key })],
] as const) {
  describe(`the SDK for servers, with its key as ${name}`, async () => {
    const { app, call, keys } = await startApp({ reading: { cache: 'snapshot' } });
    const baseUrl = await app.listen({ host: '127.0.0.1', port: 0 });
    const clientFor = async (domain: string, key: string) => {
      await OpenFeature.setProviderAndWait(domain, new OFREPProvider({ baseUrl, headers: headerOf(key) }));
      return OpenFeature.getClient(domain);
    };
    const client = await clientFor(name, keys.evaluate);
    const context = { targetingKey: '1000', plan: 'premium', age: 33, tags: ['a'] };
    const change = async (body: object) => (await call('PATCH', '/v1/users/1000/segments', body)).body;

    before(async () => {
      for (const [slug, percent] of [
        ['A', 0],
        ['ALL', 100],
      ] as const)
        await call('POST', '/v1/segments', { slug, percent });
    });

    test('sees a user put in and taken out', async () => {
      assert.equal(await client.getBooleanValue('A', true, context), false);
      await change({ add: ['A'] });
      const { value, reason, variant, flagMetadata } = await client.getBooleanDetails('A', false, context);
      assert.deepEqual([value, reason, variant, flagMetadata], [true, 'TARGETING_MATCH', 'in', { because: 'added' }]);
      await change({ remove: ['A'] });
      assert.equal(await client.getBooleanValue('A', true, context), false);
      assert.equal((await client.getBooleanDetails('ALL', false, context)).reason, 'SPLIT');
    });

    test('sees a membership end at its moment', async () => {
      const { as_of } = await change({ add: ['A'], ttl_seconds: 1 });
      const { value, flagMetadata } = await client.getBooleanDetails('A', false, context);
      assert.deepEqual([value, Date.parse(String(flagMetadata.until)) - Date.parse(as_of)], [true, 1000]);
      await until(async () => !(await client.getBooleanValue('A', true, context)), 'the end');
      assert.ok(Date.now() >= Date.parse(as_of) + 1000);
    });

    test('says what is wrong in its own words, and takes the default', async () => {
      const missing = await client.getBooleanDetails('NO_SUCH', true, context);
      assert.deepEqual([missing.value, missing.errorCode], [true, ErrorCode.FLAG_NOT_FOUND]);
      const nobody = await client.getBooleanDetails('A', true, {});
      assert.deepEqual([nobody.value, nobody.errorCode], [true, ErrorCode.TARGETING_KEY_MISSING]);
      const invalid = await client.getBooleanDetails('A', true, { targetingKey: 'a b' });
      assert.deepEqual([invalid.value, invalid.errorCode], [true, ErrorCode.INVALID_CONTEXT]);
      const stranger = await clientFor(`${name} of nobody`, 'not-a-key');
      const refused = await stranger.getBooleanDetails('A', true, context);
      assert.deepEqual([refused.value, refused.reason], [true, 'ERROR']);
    });
  });
}
