import type { ClientConfig } from 'pg';
import pg from 'pg';
import { openDatabase } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { serverVariable, templateName } from './database.ts';
import { startTestServer } from './test-server.ts';

let stop = async () => {};

/**
 * One PostgreSQL a run: the server in `DATABASE_URL`, else an embedded one in a folder of its own. It holds one migrated
 * template, from which each test file clones its database.
 */
export async function globalSetup() {
  const connection = process.env.DATABASE_URL ? { connectionString: process.env.DATABASE_URL } : await startOwn();
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

async function startOwn(): Promise<ClientConfig> {
  const server = await startTestServer();
  stop = server.stop;
  return server.connection;
}

export function inDatabase(connection: ClientConfig, database: string): ClientConfig {
  if (!connection.connectionString) return { ...connection, database };
  const url = new URL(connection.connectionString);
  url.pathname = `/${database}`;
  return { connectionString: url.href };
}
