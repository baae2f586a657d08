import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openEmbeddedPostgres } from '../../src/db/embedded/embedded.ts';

/** The embedded PostgreSQL in a folder of its own, for databases that nobody needs after the run. */
export async function startTestServer() {
  const dataDir = await mkdtemp(join(tmpdir(), 'segmentd-test-'));
  const { connection, release } = await openEmbeddedPostgres({ dataDir, role: 'join', log: () => {} });
  const admin = new pg.Client(connection);
  await admin.connect();
  // Nothing here outlives the run, and no test pulls the plug of the machine.
  for (const setting of ['fsync = off', 'full_page_writes = off']) await admin.query(`alter system set ${setting}`);
  await admin.query('select pg_reload_conf()');
  await admin.end();
  return {
    connection,
    async stop(): Promise<void> {
      await release();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
