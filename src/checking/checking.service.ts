import type { Database, DatabaseClient } from '../db/database.ts';
import type { SegmentDefinitions } from '../segments/definitions.store.ts';
import { definitionViolations } from './definitions.ts';
import { type Finding, isWarning } from './finding.ts';
import { importViolations, keyViolations, logViolation, markViolations } from './records.ts';
import { findRolloutsOutside, findRowsLeft, readImports, readKeys, readLog, readMarks } from './records.store.ts';
import { inSnapshot, openChecking, readUsers } from './users.store.ts';
import { userViolations } from './user.ts';

/** How much was checked so far, and what was found. */
export interface Tally {
  users: number;
  stays: number;
  segments: number;
  imports: number;
  violations: number;
  warnings: number;
}

/**
 * Everything that can be verified of a database, page by page: users in byte order, each page from one snapshot with its
 * definitions, so it is right beside whoever writes. Memory does not grow with the database but for one user's stays, and no
 * snapshot lasts longer than a page (of `rowsAtOnce` rows). Writes nothing. Fails as the database does.
 */
export function check(database: Database, rowsAtOnce = 5_000): { tally: Tally; findings: AsyncGenerator<readonly Finding[]> } {
  const tally: Tally = { users: 0, stays: 0, segments: 0, imports: 0, violations: 0, warnings: 0 };
  return { tally, findings: counted(tally, database, rowsAtOnce) };
}

async function* counted(tally: Tally, database: Database, rowsAtOnce: number) {
  const client = await openChecking(database);
  try {
    for await (const findings of everything(client, tally, rowsAtOnce)) {
      const warnings = findings.filter(isWarning).length;
      tally.warnings += warnings;
      tally.violations += findings.length - warnings;
      yield findings;
    }
  } finally {
    await client.end().catch(() => {}); // what it says no longer matters
  }
}

async function* everything(client: DatabaseClient, tally: Tally, rowsAtOnce: number): AsyncGenerator<readonly Finding[]> {
  yield markViolations(await inSnapshot(client, () => readMarks(client)));
  yield keyViolations(await readKeys(client));
  yield* users(client, tally, rowsAtOnce);
  yield* imports(client, tally);
  yield* log(client);
}

/** The definitions are checked as the first page has them: it has some also where nobody is known. */
async function* users(client: DatabaseClient, tally: Tally, rowsAtOnce: number): AsyncGenerator<readonly Finding[]> {
  let known: SegmentDefinitions | undefined;
  for (let next: string | null = ''; next !== null;) {
    const page = await readUsers(client, next, known, rowsAtOnce);
    if (!known) {
      tally.segments = page.definitions.segments.length;
      yield [...definitionViolations(page.definitions, page.now), ...(await findRolloutsOutside(client))];
    }
    ({ definitions: known, next } = page);
    tally.users += page.users.length;
    for (const { facts } of page.users) tally.stays += facts.stays.length;
    yield page.users.flatMap((user) => userViolations(user, page.now));
  }
}

async function* imports(client: DatabaseClient, tally: Tally): AsyncGenerator<readonly Finding[]> {
  for (let after: string | null = null; ;) {
    const page = await inSnapshot(client, () => readImports(client, after));
    if (page.length === 0) break;
    tally.imports += page.length;
    yield page.flatMap(importViolations);
    after = page.at(-1)!.id;
  }
  const left = await findRowsLeft(client);
  yield left.map((table): Finding => ({ rule: 'rows_left', rows: { table } }));
}

async function* log(client: DatabaseClient): AsyncGenerator<readonly Finding[]> {
  for (let after: string | null = '0'; after !== null;) {
    const { breaches, last } = await inSnapshot(client, () => readLog(client, after!));
    yield breaches.map(logViolation);
    after = last;
  }
}
