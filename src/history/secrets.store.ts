import { randomBytes } from 'node:crypto';
import type { Database } from '../db/database.ts';

/** A secret kept in the database, 256 bits, made by whoever asks first: the primary key decides. */
export async function findOrMakeSecret({ pool }: Database, name: string): Promise<Buffer> {
  await pool.query(`insert into secrets (name, value) values ($1, $2) on conflict (name) do nothing`, [name, randomBytes(32)]);
  const { rows } = await pool.query<{ value: Buffer }>(`select value from secrets where name = $1`, [name]);
  return rows[0]!.value;
}
