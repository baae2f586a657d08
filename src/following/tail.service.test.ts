import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { cloneDatabase } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { definitionsStore } from '../segments/definitions.store.ts';
import type { Moment } from '../timeline/facts.ts';
import { happeningsStore } from './happenings.store.ts';
import { pagesService } from './pages.service.ts';
import { intervalMs, tailService } from './tail.service.ts';

/** A tail with a reader that looks at its own wish alone, beside a database whose clock and settled moment are given. */
async function tailOf(t: TestContext, times: { now: Moment; settled: Moment }) {
  const database = await cloneDatabase();
  const store = happeningsStore(database);
  const client = await database.connect();
  let [looks, running] = [0, Promise.resolve()];
  let [look, wake] = [() => {}, () => {}];
  const tail = tailService({
    follow(onWake, refresh) {
      const begin = (isNew: boolean) => void (running = running.then(() => refresh(client, isNew)));
      look = () => begin(false);
      wake = () => {
        onWake();
        look();
      };
      begin(true);
      return { wake: look, close: () => running };
    },
    store,
    pages: pagesService(store, definitionsStore(database)),
    settled: {
      known: () => times.settled,
      look: async () => {
        looks++;
        return times.settled;
      },
      wait: () => assert.fail('waits for nothing'),
      upToNow: () => assert.fail('waits for nothing'),
    },
    clock: { ...database.clock, now: () => times.now },
  });
  t.after(async () => {
    await tail.close();
    await client.end();
  });
  tail.listen({ news: () => {}, end: () => {} });
  /** Once it rests, having asked so often. */
  const rests = (expected: number) => until(() => looks === expected, `${expected} looks`);
  return { rests, look: () => look(), commit: () => wake() };
}

test('asks less and less often while no moment is settled, as behind a clock that was set back, and often again when one is', async (t) => {
  const times = { now: 1_795_428_060_000, settled: 1_795_428_000_000 };
  const begunAt = performance.now();
  const { rests, look, commit } = await tailOf(t, times);
  await rests(9);
  const ms = performance.now() - begunAt;
  assert.ok(ms > intervalMs, `9 looks in ${ms} ms`); // 3 + 6 + ... + 384, and beyond that by the interval of who follows
  commit();
  await rests(10);

  times.settled += 1;
  commit();
  await rests(19);
  times.settled = times.now + 1;
  for (let looks = 20; looks < 30; looks++) {
    look();
    await rests(looks); // and no more: what was committed is settled
  }
});
