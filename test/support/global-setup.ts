import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientConfig } from 'pg';
import pg from 'pg';
import { openDatabase } from '../../src/db/database.ts';
import { openEmbeddedPostgres } from '../../src/db/embedded/embedded.ts';
import { migrate } from '../../src/db/migrate.ts';
import { serverVariable, templateName } from './database.ts';

let stop = async () => {};

/**
 * One PostgreSQL a run: the server in `DATABASE_URL`, else an embedded one in a folder of its own. It holds one migrated
 * template, from which each test file clones its database.
 */
export async function globalSetup() {
  const connection = process.env.DATABASE_URL ? { connectionString: process.env.DATABASE_URL } : await startServer();
  const admin = new pg.Client(connection);
  await admin.connect();
  await admin.query(`drop database if exists ${templateName} with (force)`);
  await admin.query(`create database ${templateName}`);
  await admin.end();
  const template = openDatabase({ connection: inDatabase(connection, templateName), poolSize: 2 });
  await migrate(template.pool);
  await template.close();
  process.env[serverVariable] = JSON.stringify(connection);
  delete process.env.DATABASE_URL; // no test may meet it by accident
}

export async function globalTeardown() {
  await stop();
}

async function startServer(): Promise<ClientConfig> {
  const dataDir = await mkdtemp(join(tmpdir(), 'segmentd-test-'));
  const server = await openEmbeddedPostgres({ dataDir, role: 'join', log: () => {} });
  stop = async () => {
    await server.release();
    await rm(dataDir, { recursive: true, force: true });
  };
  const admin = new pg.Client(server.connection);
  await admin.connect();
  // Nothing here outlives the run, and no test pulls the plug of the machine.
  for (const setting of ['fsync = off', 'full_page_writes = off']) await admin.query(`alter system set ${setting}`);
  await admin.query('select pg_reload_conf()');
  await admin.end();
  return server.connection;
}

export function inDatabase(connection: ClientConfig, database: string): ClientConfig {
  if (!connection.connectionString) return { ...connection, database };
  const url = new URL(connection.connectionString);
  url.pathname = `/${database}`;
  return { connectionString: url.href };
}
