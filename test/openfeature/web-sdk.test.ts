import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApp } from '../support/app.ts';
import { noChromium, startBrowser } from '../support/browser.ts';
import { until } from '../support/service.ts';
import { type PageOptions, servePages } from './page.ts';

interface Details {
  value: boolean;
  reason: string;
  variant: string;
  errorCode?: string;
  flagMetadata: Record<string, unknown>;
}

/** OpenFeature's own SDK for browsers, in one, on a page of another origin. */
describe('the SDK for browsers', { skip: noChromium }, async () => {
  const browser = await startBrowser();
  const { origin, urlOf } = await servePages();
  const { app, as, call, keys } = await startApp({ reading: { cache: 'snapshot' }, corsOrigins: [origin] });
  const baseUrl = await app.listen({ host: '127.0.0.1', port: 0 });
  for (const slug of ['A', 'B']) await call('POST', '/v1/segments', { slug });
  const change = async (user: string, body: object) => (await call('PATCH', `/v1/users/${user}/segments`, body)).body;

  const open = async (options: Omit<PageOptions, 'baseUrl' | 'key'>, key = keys.evaluate) => {
    const page = await browser.newPage();
    const statuses: number[] = [];
    page.on('response', (response) => {
      if (response.url().endsWith('/ofrep/v1/evaluate/flags') && response.request().method() === 'POST')
        statuses.push(response.status());
    });
    const streams: string[] = [];
    page.on('request', (request) => void (request.url().includes('/ofrep/v1/streams/') && streams.push(request.url())));
    await page.goto(urlOf({ baseUrl, key, ...options }));
    await until(async () => (await page.title()) !== 'A shop', 'the provider', 30_000);
    const detailsOf = (slug: string) => page.evaluate<Details>(`client.getBooleanDetails('${slug}', false)`);
    const sees = (slug: string, value: boolean) =>
      until(async () => (await detailsOf(slug)).value === value, `${slug} to be ${value}`, 30_000);
    return { page, statuses, streams, detailsOf, sees };
  };

  test('sees by the stream a user put in, taken out, and a membership end, without asking again by itself', async () => {
    const { page, detailsOf, sees, streams } = await open({ user: '1' });
    assert.equal(await page.title(), 'ready');
    assert.equal((await detailsOf('A')).reason, 'STATIC');
    await change('1', { add: ['A'] });
    await sees('A', true);
    const { reason, variant, flagMetadata } = await detailsOf('A');
    assert.deepEqual([reason, variant, flagMetadata], ['TARGETING_MATCH', 'in', { because: 'added' }]);
    await change('1', { remove: ['A'] });
    await sees('A', false);
    const { as_of } = await change('1', { add: ['B'], ttl_seconds: 3 });
    await sees('B', true);
    await sees('B', false);
    const lateMs = Date.now() - Date.parse(as_of) - 3_000;
    assert.ok(lateMs >= 0 && lateMs < 5_000, `${lateMs} ms after its moment`);
    assert.ok((await page.evaluate<string[][]>('changes')).flat().includes('B'));
    assert.equal(streams.length, 1);
    await page.close();
  });

  test('sees a segment made and deleted', async () => {
    const { page, detailsOf, sees } = await open({ user: '2' });
    assert.equal((await detailsOf('NEW')).errorCode, 'FLAG_NOT_FOUND');
    await call('POST', '/v1/segments', { slug: 'NEW', percent: 100 });
    await sees('NEW', true);
    assert.equal((await detailsOf('NEW')).reason, 'SPLIT');
    await call('DELETE', '/v1/segments/NEW');
    await until(async () => (await detailsOf('NEW')).errorCode === 'FLAG_NOT_FOUND', 'the deletion', 30_000);
    await page.close();
  });

  test('sees the same by polling, and is answered 304 while nothing changed', async () => {
    const { page, sees, statuses, streams } = await open({ user: '3', pollInterval: 100, changeDetection: 'polling' });
    await until(() => statuses.filter((status) => status === 304).length > 2, 'some answers of 304', 30_000);
    await change('3', { add: ['A'] });
    await sees('A', true);
    await change('3', { remove: ['A'] });
    await sees('A', false);
    await change('3', { add: ['A'], ttl_seconds: 1 });
    await sees('A', true);
    await sees('A', false);
    assert.deepEqual([streams, [...new Set(statuses)].sort()], [[], [200, 304]]);
    await page.close();
  });

  test('its stream ends with its key, which is then refused', async () => {
    const { key } = (await as('admin')('POST', '/v1/keys', { name: 'page', scope: 'evaluate' })).body;
    const { page, statuses, streams } = await open({ user: '4' }, key);
    await until(() => streams.length > 0, 'the stream', 30_000);
    await as('admin')('DELETE', '/v1/keys/page');
    await until(() => statuses.includes(401), 'the key to be refused', 30_000);
    await page.close();
  });

  test('a page of an origin that is not let in learns nothing', async () => {
    const other = await servePages();
    const page = await browser.newPage();
    await page.goto(other.urlOf({ baseUrl, key: keys.evaluate, user: '1' }));
    await until(async () => (await page.title()) !== 'A shop', 'the provider', 30_000);
    assert.match(await page.title(), /failed/i);
    await page.close();
  });
});
