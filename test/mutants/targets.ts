/** Files that hold the rules, and the tests that must notice when one is changed. */
export interface Target {
  readonly name: string;
  readonly files: readonly string[];
  /** Of a migration: the functions whose last definition it is. */
  readonly functions?: readonly string[];
  /** Test files by groups, the quickest first: who survives one group meets the next. */
  readonly stages: readonly Stage[];
}

export interface Stage {
  readonly tests: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Needs a PostgreSQL. */
  readonly isOnDatabase?: boolean;
}

const inTimeline = (names: string) => names.split(' ').map((name) => `src/timeline/${name}.ts`);
const inRollout = (names: string) => names.split(' ').map((name) => `src/rollout/${name}.ts`);
const agreement = (histories: number): Stage => ({
  tests: ['test/model/agreement.test.ts'],
  env: { MODEL_HISTORIES: String(histories) },
});
const onDatabase = (...tests: string[]): Stage => ({ tests, isOnDatabase: true });

const writing = [
  onDatabase('src/memberships/memberships.store.test.ts'),
  onDatabase('src/memberships/memberships.routes.test.ts', 'src/memberships/plans.test.ts', 'src/memberships/gathered.test.ts'),
  onDatabase('src/http/outages.test.ts', 'src/reading/settled.test.ts'),
  onDatabase('src/memberships/*.test.ts', 'src/db/*.test.ts', 'src/following/*.test.ts', 'test/races/*.test.ts'),
];

export const targets: readonly Target[] = [
  {
    name: 'timeline',
    files: inTimeline('applied decide definitions events explain leftovers narrowed pair reach segments-at stays view'),
    stages: [
      { tests: ['src/timeline/*.test.ts'] },
      agreement(2_000),
      { tests: ['test/model/properties.test.ts', 'test/model/decisions.test.ts'], env: { MODEL_RUNS: '300' } },
      agreement(10_000),
    ],
  },
  {
    name: 'rollout',
    files: inRollout('bucket murmur3 ranges taking'),
    stages: [
      { tests: inRollout('bucket.test murmur3.test ranges.test') },
      { tests: ['src/rollout/taking.test.ts'] },
      { tests: ['src/rollout/uniformity.test.ts'] },
      onDatabase('test/rollout-document.test.ts'),
      agreement(20_000),
      onDatabase('src/segments/*.test.ts'),
    ],
  },
  {
    name: 'rules',
    files: ['src/memberships/command.ts', 'src/segments/shares.ts', 'src/imports/deciding.ts'],
    stages: [
      { tests: ['src/memberships/command.test.ts', 'src/segments/shares.test.ts', 'src/imports/deciding.test.ts'] },
      onDatabase('src/memberships/*.test.ts', 'src/segments/*.test.ts', 'src/imports/imports.routes.test.ts'),
    ],
  },
  {
    name: 'write-functions',
    files: ['migrations/0009_since_of_plans.sql'],
    functions: ['apply_changes'],
    stages: writing,
  },
  {
    name: 'clock-functions',
    files: ['migrations/0001_core.sql'],
    functions: ['moment_of', 'revision_after', 'settle'],
    stages: [onDatabase('src/reading/settled.store.test.ts'), ...writing],
  },
  {
    name: 'definition-functions',
    files: ['migrations/0003_planned_shares.sql'],
    functions: ['begin_definitions_change', 'create_segment', 'change_segment', 'delete_segment'],
    stages: [
      onDatabase('src/segments/segments.store.test.ts'),
      onDatabase('src/segments/*.test.ts'),
      onDatabase('src/memberships/*.test.ts', 'test/races/*.test.ts'),
    ],
  },
  {
    name: 'import-function',
    files: ['migrations/0007_even_batches.sql'],
    functions: ['apply_import_batch'],
    stages: [
      onDatabase('src/imports/batches.store.test.ts'),
      onDatabase('src/imports/imports.routes.test.ts'),
      onDatabase('test/races/*.test.ts'),
    ],
  },
];
