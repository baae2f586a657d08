import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Database } from '../../src/db/database.ts';
import { copyProject } from '../support/project-copy.ts';

/** A bug, planted by replacing text: in a function of the database, or in a copy of the service's source. */
export type Plant =
  | {
      readonly kind: 'function';
      readonly name: string;
      readonly functionName: string;
      readonly replaced: readonly (readonly [from: string, to: string])[];
    }
  | {
      readonly kind: 'source';
      readonly name: string;
      readonly file: string;
      readonly replaced: readonly (readonly [from: string, to: string])[];
    };

export const plants: readonly Plant[] = [
  {
    name: 'commit-after-acknowledging',
    kind: 'source',
    file: 'src/memberships/memberships.store.ts',
    replaced: [
      [
        `return (await pool.query<Answer>({ name: 'memberships.apply', text: applyText, values })).rows[0]!;`,
        `const client = await pool.connect();
    try {
      await client.query('begin');
      const answer = (await client.query<Answer>({ name: 'memberships.apply', text: applyText, values })).rows[0]!;
      setTimeout(() => void client.query('commit').then(() => client.release(), () => client.release(true)), 3);
      return answer;
    } catch (error) {
      client.release(true);
      throw error;
    }`,
      ],
    ],
  },
  {
    name: 'half-of-a-change',
    kind: 'function',
    functionName: 'apply_changes',
    replaced: [['where b.user_id <> all (v_undone);', 'where b.user_id <> all (v_undone) and b.segment_id % 8 <> 3;']],
  },
  {
    name: 'follow-by-a-sequence',
    kind: 'source',
    file: 'src/reading/snapshot/log.store.ts',
    replaced: [[' or xid = any(array(select pg_snapshot_xip($1::pg_snapshot)))', '']],
  },
  {
    name: 'follow-by-a-horizon',
    kind: 'source',
    file: 'src/reading/snapshot/log.store.ts',
    replaced: [
      [
        'where xid >= pg_snapshot_xmax($1::pg_snapshot) or xid = any(array(select pg_snapshot_xip($1::pg_snapshot)))',
        'where (xid >= pg_snapshot_xmin($1::pg_snapshot) and xid < pg_snapshot_xmin(pg_current_snapshot()))',
      ],
    ],
  },
  {
    name: 'revision-not-compared',
    kind: 'function',
    functionName: 'apply_changes',
    replaced: [['and u.revision = w.revision and', 'and']],
  },
  {
    name: 'settle-answers-the-clock',
    kind: 'function',
    functionName: 'settle',
    replaced: [['s := (s / 1000 - 1) * 1000;', 's := (extract(epoch from t) * 1000000)::bigint;']],
  },
  {
    name: 'no-limit-of-staleness',
    kind: 'source',
    file: 'src/reading/snapshot/snapshot.service.ts',
    replaced: [['if (!held || ageMs > maxStalenessMs) return undefined;', 'if (!held) return undefined;']],
  },
];

function replaceAll(text: string, { name, replaced }: Plant): string {
  return replaced.reduce((known, [from, to]) => {
    if (!known.includes(from)) throw new Error(`${name}: there is no "${from}"`);
    return known.replace(from, () => to);
  }, text);
}

/** A copy of the service with the bug in it; removed with the stack. */
export async function plantTree(stack: AsyncDisposableStack, plant: Plant & { kind: 'source' }): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-planted-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  await copyProject(folder, ['src', 'migrations', 'package.json']);
  const path = join(folder, plant.file);
  await writeFile(path, replaceAll(await readFile(path, 'utf8'), plant));
  return pathToFileURL(`${folder}/`);
}

export async function plantIn({ pool }: Database, plant: Plant & { kind: 'function' }): Promise<void> {
  const { rows } = await pool.query<{ definition: string }>(`select pg_get_functiondef($1::regproc) as definition`, [
    plant.functionName,
  ]);
  await pool.query(replaceAll(rows[0]!.definition, plant));
}
