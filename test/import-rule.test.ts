import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

type Kind = 'routes' | 'service' | 'store' | 'schemas' | 'pure' | 'http' | 'db' | 'wiring';

/** What each kind of file may import, of ours and from npm or Node. Of schemas `import type` may also name a store's rows, of services another service. */
const rules: Record<Kind, { ours: readonly Kind[]; libraries: RegExp }> = {
  routes: {
    ours: ['service', 'store', 'schemas', 'http', 'pure'],
    libraries: /^(fastify|@fastify\/type-provider-typebox|typebox|node:stream)$/,
  },
  service: { ours: ['store', 'db', 'pure'], libraries: /^node:timers\/promises$/ },
  store: {
    ours: ['store', 'db', 'pure'],
    libraries: /^(@redis\/client|pg-copy-streams|node:(timers|stream)\/promises|node:crypto)$/,
  },
  schemas: { ours: ['schemas', 'pure'], libraries: /^typebox$/ },
  pure: { ours: ['pure'], libraries: /^(node:crypto|temporal-polyfill|csv-stringify\/sync)$/ },
  http: {
    ours: ['http', 'schemas', 'pure', 'db'],
    libraries: /^(fastify|@fastify\/.+|typebox|ajv|find-my-way|helmet|prom-client|node:(http|net|tls|crypto|stream|zlib))$/,
  },
  db: { ours: ['db', 'pure'], libraries: /^(pg|node:.+)$/ },
  wiring: { ours: ['routes', 'service', 'store', 'schemas', 'pure', 'http', 'db', 'wiring'], libraries: /./ },
};

const pureInHttp = ['src/http/problem.ts', 'src/http/moment.ts', 'src/http/user-id.ts', 'src/http/csv.ts', 'src/http/quoted.ts'];

function kindOf(path: string): Kind {
  const suffix = /\.(routes|service|store|schemas)\.ts$/.exec(path)?.[1];
  if (suffix) return suffix as Kind;
  if (pureInHttp.includes(path)) return 'pure';
  if (path.startsWith('src/http/')) return 'http';
  if (path.startsWith('src/db/')) return 'db';
  if (path.startsWith('src/cli/') || /^src\/[^/]+\.ts$/.test(path)) return 'wiring';
  return 'pure';
}

const files = globSync('src/**/*.ts', { cwd: join(import.meta.dirname, '..') }).filter((path) => !path.endsWith('.test.ts'));

test('every file imports only what its suffix allows', () => {
  assert.ok(files.length > 40, `saw only ${files.length} files`);
  const broken: string[] = [];
  let imports = 0;
  for (const path of files) {
    const text = readFileSync(join(import.meta.dirname, '..', path), 'utf8');
    for (const [, isType, from] of text.matchAll(/^(?:import|export) (type )?[^;]*?from '([^']+)';/gm)) {
      imports++;
      const { ours, libraries } = rules[kindOf(path)];
      if (!from!.startsWith('.')) {
        if (!libraries.test(from!) && !isType) broken.push(`${path} imports ${from}`);
        continue;
      }
      const target = kindOf(normalize(join(dirname(path), from!)));
      const kind = kindOf(path);
      const isShape = isType && ((kind === 'schemas' && target === 'store') || (kind === 'service' && target === 'service'));
      if (!ours.includes(target) && !isShape) broken.push(`${path} (${kindOf(path)}) imports ${from} (${target})`);
    }
  }
  assert.ok(imports > 100, `saw only ${imports} imports`);
  assert.deepEqual(broken, []);
});

test('the client imports its own files, types among them, and what decides percentages: nothing of Node, no library', () => {
  const own = globSync('client/src/**/*.ts', { cwd: join(import.meta.dirname, '..') }).filter(
    (path) => !path.endsWith('.test.ts'),
  );
  const shared = ['src/rollout/bucket.ts', 'src/rollout/murmur3.ts', 'src/rollout/ranges.ts'];
  assert.ok(own.length > 10, `saw only ${own.length} files`);
  const broken = [...own, ...shared].flatMap((path) => {
    const text = readFileSync(join(import.meta.dirname, '..', path), 'utf8');
    return [...text.matchAll(/^(?:import|export) (?:type )?[^;]*?from '([^']+)';/gm)]
      .map(([, from]) => ({ from: from!, target: normalize(join(dirname(path), from!)) }))
      .filter(({ from, target }) => !from.startsWith('.') || !(target.startsWith('client/src/') || shared.includes(target)))
      .map(({ from }) => `${path} imports ${from}`);
  });
  assert.deepEqual(broken, []);
});

test('the page imports itself, its two libraries, the pure rules of percentages and what the client knows of the wire', () => {
  const ofPage = globSync('ui/**/*.{ts,tsx}', { cwd: join(import.meta.dirname, '..') }).filter(
    (path) => !/\.test\.ts$|^ui\/(build|dist)/.test(path),
  );
  assert.ok(ofPage.length > 30, `saw only ${ofPage.length} files`);
  const broken = ofPage.flatMap((path) => {
    const text = readFileSync(join(import.meta.dirname, '..', path), 'utf8');
    return [...text.matchAll(/^(?:import|export) [^;]*?from '([^']+)';/gm)]
      .map(([, from]) => (from!.startsWith('.') ? normalize(join(dirname(path), from!)) : from!))
      .filter(
        (from) => !/^(ui\/(?!build|dist)|src\/rollout\/|client\/src\/(api|events)\.ts$|preact(\/hooks)?$|uplot$)/.test(from),
      )
      .map((from) => `${path} imports ${from}`);
  });
  assert.deepEqual(broken, []);
});

test('only stores, db and migrations hold SQL', () => {
  const sql = /[`'"]\s*(select|insert into|update|delete from|with \w+ as) /i;
  const found = files.filter(
    (path) => !['store', 'db'].includes(kindOf(path)) && sql.test(readFileSync(join(import.meta.dirname, '..', path), 'utf8')),
  );
  assert.deepEqual(found, ['src/cli/connect.ts'], 'whether the database answers is asked with select 1');
});
