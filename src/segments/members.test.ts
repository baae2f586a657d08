import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { randomSource } from '../../test/model/random-history.ts';
import { cloneDatabase } from '../../test/support/database.ts';
import { inForce } from '../timeline/pair.ts';
import type { Stay } from '../timeline/facts.ts';
import { membersStore } from './members.store.ts';

const seed = Number(process.env.RACE_SEED ?? Math.floor(Math.random() * 2 ** 31));

test(`the export, the list and the count know of any stays who is in, also where a plan has begun (RACE_SEED=${seed})`, async () => {
  const random = randomSource(seed);
  const database = await cloneDatabase();
  const members = membersStore(database);
  const moment = Date.UTC(2026, 4, 3);
  const near = () => moment + random.below(7) - 3;
  const expected: string[] = [];
  const rows: [string, number, number, number, boolean][] = [];
  for (let i = 0; i < 400; i++) {
    const userId = `${random.one(['a', 'Z', '"', ','])}${i}`;
    const starts = new Set(Array.from({ length: random.below(4) }, near));
    const stays = [...starts]
      .sort((a, b) => a - b)
      .map((startsAt) => {
        const endsAt = random.chance(0.5) ? Infinity : startsAt + 1 + random.below(4);
        return { startsAt, endsAt, excluded: random.chance(0.3) } as Stay;
      });
    for (const { startsAt, endsAt, excluded } of stays) rows.push([userId, 1, startsAt, endsAt, excluded]);
    if (stays.length > 0) rows.push([userId, 2, moment - 9, Infinity, true]); // of another segment
    if (inForce(stays, moment)?.excluded === false) expected.push(userId);
  }
  await database.pool.query(
    `insert into memberships (user_id, segment_id, starts_at, ends_at, since, excluded, begun_by, begun_cause)
      select u, s, a, b, a, e, 'x', 'import' from unnest($1::text[], $2::integer[], $3::timestamptz[], $4::timestamptz[], $5::boolean[]) r (u, s, a, b, e)`,
    [0, 1, 2, 3, 4].map((column) =>
      rows.map((row) => {
        const value = row[column]!;
        return column === 2 || column === 3 ? (value === Infinity ? 'infinity' : new Date(value as number).toISOString()) : value;
      }),
    ),
  );
  expected.sort();
  assert.ok(expected.length > 50);

  const listed = await members.list(1, moment, '', 1_000);
  assert.deepEqual(
    listed.map(({ userId }) => userId),
    expected,
  );
  assert.equal((await members.count([1], moment)).get(1), expected.length);
  const exported = (await buffer(await members.export(1, moment, new AbortController().signal))).toString();
  const quoted = expected.map((id) => (/[",]/.test(id) ? `"${id.replaceAll('"', '""')}"` : id));
  assert.deepEqual(exported.trimEnd().split('\n'), quoted);
});
