import assert from 'node:assert/strict';
import { after } from 'node:test';
import type { Database } from '../../src/db/database.ts';
import { housekeepingService, type RoundOptions } from '../../src/housekeeping/housekeeping.service.ts';
import { housekeepingTasks, type TaskOptions } from '../../src/housekeeping/tasks.service.ts';
import { definitionsStore } from '../../src/segments/definitions.store.ts';

/** Housekeeping as a process does it: a round at a time with all there is to do, without pauses; what is over is moved at once. */
export function houseOf(
  database: Database,
  { only = /./, ...options }: Partial<TaskOptions & RoundOptions> & { only?: RegExp } = {},
) {
  const failures: string[] = [];
  const strays: number[] = [];
  const tasks = housekeepingTasks(definitionsStore(database), {
    changesHours: 24,
    historyMonths: null,
    restedMs: 0,
    ...options,
  });
  const service = housekeepingService({
    pause: async () => {},
    ...options,
    database,
    tasks: tasks.filter(({ name }) => only.test(name)).map((task) => ({ ...task, everyMs: 0 })),
    onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
    onStrays: (rows) => strays.push(rows),
  });
  after(() => service.close());
  return {
    ...service,
    /** What failed so far. */
    failures,
    /** Rows without a month of their own, as each round found them. */
    strays,
    /** A round of which nothing fails. */
    async tidy() {
      assert.equal(await service.round(), true, failures.join());
      assert.deepEqual(failures, []);
    },
  };
}
