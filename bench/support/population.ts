import type { BenchDatabase } from './postgres.ts';
import { startService } from './service.ts';

/** Ids of users are eight digits: this one and those that follow. */
export const firstUserId = 10_000_000;

export const segmentCount = 20;
export const membershipsAUser = 5;

export const slugOf = (number: number) => `BENCH_${String(number).padStart(2, '0')}`;

export interface Population {
  readonly users: number;
  /** `varied`: neighbours are in different segments; `same`: all are in the first five. Default: varied. */
  readonly sets?: 'varied' | 'same';
  /** How many more users there are behind them. Default 0. */
  readonly spare?: number;
}

/**
 * Makes the schema and twenty segments through the service, stops it, and fills in users with five memberships each, by
 * SQL: what as many requests would have left, only that all began at one moment.
 */
export async function populate(database: BenchDatabase, { users, sets = 'varied', spare = 0 }: Population): Promise<void> {
  {
    await using service = await startService(database, { CACHE: 'off' });
    for (let number = 1; number <= segmentCount; number++) await service.send('POST', '/v1/segments', { slug: slugOf(number) });
  }
  const indexes = await dropIndexes(database, ['users', 'memberships']);
  const [clock] = await database.query<{ revision: string }>(
    `select (extract(epoch from date_trunc('milliseconds', clock_timestamp())) * 1000000)::bigint::text as revision`,
  );
  const revision = clock!.revision;
  const step = 1_000_000;
  for (let from = 0; from < users + spare; from += step) {
    const range = [from, Math.min(from + step, users + spare) - 1];
    await database.query(
      `insert into users (user_id, known_since, revision)
        select (${firstUserId} + i)::text, moment_of($3), $3 from generate_series($1::int, $2::int) i`,
      [...range, revision],
    );
    await database.query(
      `insert into memberships (user_id, segment_id, starts_at, ends_at, since, excluded, begun_by, begun_cause)
        select (${firstUserId} + i)::text, (select array_agg(segment_id order by slug) from segments)[1 + ${sets === 'same' ? 'k' : `(i + 3 * k) % ${segmentCount}`}],
               moment_of($3), 'infinity', moment_of($3), false, 'bench', 'request'
          from generate_series($1::int, $2::int) i, generate_series(0, ${membershipsAUser - 1}) k`,
      [...range, revision],
    );
  }
  for (const statement of indexes) await database.query(statement);
  for (const table of ['users', 'memberships']) await database.query(`vacuum (freeze, analyze) ${table}`);
  await database.query('checkpoint');
}

/** Rows come several times as fast without indexes. Answers what makes them again. */
async function dropIndexes(database: BenchDatabase, tables: readonly string[]): Promise<string[]> {
  const rows = await database.query<{ drop: string; make: string }>(
    `select case when c.conname is null then format('drop index %s', i.indexrelid::regclass)
                 else format('alter table %s drop constraint %I', i.indrelid::regclass, c.conname) end as drop,
            case when c.conname is null then pg_get_indexdef(i.indexrelid)
                 else format('alter table %s add constraint %I %s', i.indrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) end as make
       from pg_index i left join pg_constraint c on c.conindid = i.indexrelid where i.indrelid = any ($1::regclass[])`,
    [tables],
  );
  for (const { drop } of rows) await database.query(drop);
  return rows.map(({ make }) => make);
}

/** How much of a table there is: to see that what was measured was done. */
export async function countRows(database: BenchDatabase, table: string): Promise<number> {
  const [row] = await database.query<{ count: string }>(`select count(*)::text as count from ${table}`);
  return Number(row!.count);
}
