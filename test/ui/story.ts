import { newKey, sha256Of } from '../../src/access/key.ts';
import { keysStore } from '../../src/access/keys.store.ts';
import { age } from '../support/aging.ts';
import { startApp } from '../support/app.ts';
import { until } from '../support/service.ts';

const day = 86_400;

/**
 * A database in which things have happened for two months, by several hands: segments by hand, by file and by percentage, a
 * group, plans, ends, exclusions; and the keys of those who look at it.
 */
export async function tellStory() {
  const { as, call: byWriter, database } = await startApp({ imports: { isRunner: true } });
  const store = keysStore(database);
  const keys = { analytics: newKey(), support: newKey(), viewer: newKey() };
  await store.insert({ name: 'analytics', scope: 'write' }, sha256Of(keys.analytics));
  await store.insert({ name: 'support', scope: 'write' }, sha256Of(keys.support));
  await store.insert({ name: 'viewer', scope: 'read' }, sha256Of(keys.viewer));
  const by =
    (name: keyof typeof keys) =>
    async (method: 'POST' | 'PATCH' | 'DELETE' | 'GET', url: string, body?: unknown, headers: Record<string, string> = {}) => {
      const answer = await byWriter(method, url, body, { authorization: `Bearer ${keys[name]}`, ...headers });
      if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.text}`);
      return answer.body;
    };
  const [analytics, support] = [by('analytics'), by('support')];
  const change = (who: typeof analytics, userId: string, body: unknown) => who('PATCH', `/v1/users/${userId}/segments`, body);
  const pass = (days: number) => age(database, days * day);
  const importIds = async (slug: string, ids: readonly (string | number)[]) => {
    const { id } = await analytics('POST', `/v1/segments/${slug}/imports?operation=add`, ids.join('\n'), {
      'content-type': 'text/plain',
    });
    await until(async () => (await analytics('GET', `/v1/imports/${id}`)).state === 'done', `the import into ${slug}`);
  };
  const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

  for (const segment of [
    { slug: 'VOICE_MESSAGES', description: 'Voice messages in chats' },
    { slug: 'BETA_TESTERS', description: 'Who asked to see things early' },
    { slug: 'NEWSLETTER', description: 'The weekly letter' },
    { slug: 'NEW_SEARCH', description: 'Search with synonyms', percent: 5, salt: 'S1' },
    { slug: 'SPRING_10', description: '10 % off in spring', percent: 30, exclusive_group: 'SPRING' },
    { slug: 'SPRING_20', description: '20 % off in spring', percent: 20, exclusive_group: 'SPRING' },
    { slug: 'SPRING_50', description: 'For a few', exclusive_group: 'SPRING' },
    { slug: 'OLD_CHECKOUT', description: 'Gone soon' },
  ])
    await analytics('POST', '/v1/segments', segment);
  await importIds('NEWSLETTER', numbers(900, 400));
  await importIds('BETA_TESTERS', numbers(980, 60));
  await change(analytics, '1000', { add: ['VOICE_MESSAGES', 'OLD_CHECKOUT'] });
  await pass(14);
  await change(support, '1000', { remove: ['BETA_TESTERS'] });
  await analytics('PATCH', '/v1/segments/NEW_SEARCH', { percent: 40 });
  await importIds('VOICE_MESSAGES', numbers(1000, 150));
  await pass(9);
  await change(support, '1000', { remove: ['NEWSLETTER'], add: ['BETA_TESTERS'], ttl_seconds: 10 * day });
  await analytics('PATCH', '/v1/segments/SPRING_10', { percent: 45 });
  await pass(16);
  await analytics('DELETE', '/v1/segments/OLD_CHECKOUT');
  await change(analytics, '1000', { add: ['NEWSLETTER'] });
  await importIds('NEWSLETTER', [...numbers(2000, 900), '20 01', 'josé', 2005]);
  await pass(12);
  await change(support, '1000', { remove: ['NEW_SEARCH'] });
  await importIds('VOICE_MESSAGES', numbers(3000, 260));
  await analytics('PATCH', '/v1/segments/NEW_SEARCH', { percent: 60 });
  await pass(6);
  await change(analytics, '1000', { add: ['SPRING_50'], expires_at: inDays(9), replace_in_group: true });
  await change(support, '1000', { add: ['BETA_TESTERS'], starts_at: inDays(3), expires_at: inDays(12) });
  await analytics('PATCH', '/v1/segments/NEW_SEARCH', { percent: 80, effective_at: inDays(5) });
  await pass(2);
  return { database, keys, as, analytics, support };
}

const inDays = (days: number): string => new Date(Date.now() + days * day * 1000).toISOString();
