import type { Database } from '../../src/db/database.ts';

/** A digest of every row of every table. Sequences are left out: reading about the present moves one. */
export async function checksumOf({ pool }: Pick<Database, 'pool'>): Promise<Record<string, string>> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class
      where relkind in ('r', 'p') and not relispartition and relnamespace = 'public'::regnamespace order by 1`,
  );
  const digests: [string, string][] = [];
  for (const { name } of tables) {
    const { rows } = await pool.query<{ digest: string }>(
      `select count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') as digest from ${name} t`,
    );
    digests.push([name, rows[0]!.digest]);
  }
  return Object.fromEntries(digests);
}
