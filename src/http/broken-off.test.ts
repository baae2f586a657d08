import assert from 'node:assert/strict';
import { type AddressInfo, connect } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import pino from 'pino';
import { startApp } from '../../test/support/app.ts';
import { openAgain } from '../../test/support/database.ts';
import { until } from '../../test/support/service.ts';
import { buildApp } from '../app.ts';

test('a client that goes away in the middle is no failure of ours or of the database', async () => {
  const { call, database, keys } = await startApp();
  await call('POST', '/v1/segments', { slug: 'A' });
  const failures: string[] = [];
  const app = await buildApp({
    database: openAgain(database),
    reading: { cache: 'off', maxStalenessSeconds: 300 },
    links: { secret: Buffer.from('a secret of the tests'), ttlSeconds: 60, publicUrl: null },
    limits: { failedKeysPerMinute: 1_000 },
    logger: pino({ level: 'error' }, { write: (line: string) => void failures.push(line) }),
  });
  after(() => app.close());
  let answered = 0;
  app.addHook('onSend', async () => void answered++);
  await app.listen({ port: 0 });
  const { port } = app.server.address() as AddressInfo;

  const head = (method: string, path: string, type: string, key: string) =>
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: ${type}\r\nContent-Length: 100\r\n\r\n`;
  const file = gzipSync(Array.from({ length: 200_000 }, (_, i) => `${i * 7_919}`).join('\n'));
  const packed = head('POST', '/v1/segments/A/imports?operation=add', 'text/plain\r\nContent-Encoding: gzip', keys.write);
  const halves = [
    Buffer.concat([Buffer.from(packed.replace(/Length: \d+/, `Length: ${file.length}`)), file]), // whole, but for the wait for its answer
    `${head('POST', '/v1/segments', 'application/json', keys.write)}{"slug":`,
    `${head('POST', '/v1/segments/A/imports?operation=add', 'text/plain', keys.write)}1\n2\n`,
    `${head('POST', '/v1/segments', 'application/json', 'unknown')}{"slug":`,
  ];
  for (const half of halves) {
    for (const ms of [0, 1, 5, 50]) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      socket.write(half);
      await wait(ms);
      socket.resetAndDestroy();
    }
  }
  await until(() => answered >= halves.length, 'some of them to have been seen');
  await call('GET', '/v1/segments');
  assert.deepEqual(failures, []);
});
