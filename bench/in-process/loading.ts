/**
 * Loads the snapshot of the database in DATABASE_URL, as the service does at its start; or, called with `bare`, reads the
 * same stream and looks at none of it. Prints what it took, as JSON.
 */
import { openDatabase } from '../../src/db/database.ts';
import { tableLoader } from '../../src/reading/snapshot/loading.ts';
import { logStore } from '../../src/reading/snapshot/log.store.ts';
import { MembershipTable } from '../../src/reading/snapshot/table.ts';

const isBare = process.argv[2] === 'bare';
const database = openDatabase({ connection: { connectionString: process.env.DATABASE_URL! }, poolSize: 2 });
const table = new MembershipTable();
const startedAt = performance.now();
const open = () => (isBare ? { push() {}, end() {} } : tableLoader(table, database.clock.now()));
await logStore(database).load(open, AbortSignal.timeout(600_000));
const seconds = (performance.now() - startedAt) / 1000;
await database.close();
process.stdout.write(JSON.stringify({ seconds, users: table.users, bytes: table.bytes }));
