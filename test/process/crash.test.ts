import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneDatabase } from '../support/database.ts';
import { type Service, startService } from '../support/service.ts';

const kills = Number(process.env.CRASH_TIMES ?? 20);
const slugs = ['A', 'B', 'C', 'D'];

interface Acknowledged {
  userId: string;
  answer: { added: string[]; removed: string[]; segments: string[] | null; as_of: string };
}

test(`after ${kills} SIGKILLs in a stream of PATCHes every acknowledged change is there, with its events`, async () => {
  const { url } = await cloneDatabase();
  const acknowledged: Acknowledged[] = [];
  let service = await startService({ DATABASE_URL: url });
  for (const slug of slugs) await service.send('POST', '/v1/segments', { slug });
  for (let i = 0; i < kills; i++) {
    const before = acknowledged.length;
    const streams = Array.from({ length: 6 }, (_, n) => streamOfPatches(service, `user-${n}`, acknowledged));
    while (acknowledged.length < before + 20 + ((i * 7) % 30)) await new Promise(setImmediate);
    service.process.kill('SIGKILL');
    await Promise.all(streams);
    await service.exited;
    service = await startService({ DATABASE_URL: url });
  }
  assert.ok(acknowledged.length > kills * 20);

  for (const { userId, answer } of acknowledged) {
    const { body } = await service.send('GET', `/v1/users/${userId}/segments?at=${answer.as_of}`);
    assert.deepEqual((body as Acknowledged['answer']).segments, answer.segments, `${userId} at ${answer.as_of}`);
    const next = new Date(Date.parse(answer.as_of) + 1).toISOString();
    const { body: history } = await service.send('GET', `/v1/users/${userId}/history?from=${answer.as_of}&to=${next}`);
    const { events } = history as { events: { segment: string; operation: string }[] };
    const expected = [
      ...answer.removed.toSorted().map((slug) => `remove ${slug}`),
      ...answer.added.toSorted().map((slug) => `add ${slug}`),
    ];
    assert.deepEqual(
      events.map(({ operation, segment }) => `${operation} ${segment}`),
      expected,
    );
  }
});

/** Changes one user until the service is gone; keeps what was acknowledged. */
async function streamOfPatches(service: Service, userId: string, acknowledged: Acknowledged[]) {
  for (let i = 0; ; i++) {
    const add = slugs.filter((_, n) => (i + n) % 3 === 0);
    const remove = slugs.filter((_, n) => (i + n) % 3 === 1);
    try {
      const { status, body } = await service.send('PATCH', `/v1/users/${userId}/segments`, { add, remove });
      assert.equal(status, 200);
      const answer = body as Acknowledged['answer'];
      if (answer.added.length + answer.removed.length > 0) acknowledged.push({ userId, answer });
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return; // the connection broke: whether this one was applied is not known
    }
  }
}
