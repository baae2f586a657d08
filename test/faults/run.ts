import { parseArgs } from 'node:util';
import { runFaults } from './fault-run.ts';
import { faultKinds } from './faults.ts';
import { plants } from './plants.ts';
import { reportText } from './report.ts';

const help = `npm run test:faults -- [--seed N] [--operations 200000] [--faults 50] [--clients 96] [--plant NAME or all]

Runs clients against two processes of the service while it and its surroundings are hurt, then checks what they were told.
The seed is printed; with it and the same numbers the same operations and faults come again. --plant plants a bug first, and
fails if nothing is found: ${plants.map(({ name }) => name).join(', ')}.
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    operations: { type: 'string' },
    faults: { type: 'string' },
    clients: { type: 'string' },
    plant: { type: 'string' },
    help: { type: 'boolean' },
  },
});
const number = (text: string | undefined, otherwise: number) => {
  const given = text === undefined ? otherwise : Number(text);
  if (!Number.isSafeInteger(given) || given < 1) throw new Error(`${text} is no whole number above 0`);
  return given;
};
const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort(new Error(`stopped by ${name}`)));
const { signal } = stopping;
const print = (line: string) => process.stdout.write(`${line}\n`);

if (values.help) print(help);
else process.exitCode = (await (values.plant === undefined ? runLong() : runPlanted(values.plant))) ? 0 : 1;

async function runLong(): Promise<boolean> {
  const seed = number(values.seed, Date.now() % 1_000_000);
  print(`seed ${seed}`);
  const options = {
    operations: number(values.operations, 200_000),
    faults: number(values.faults, 50),
    clients: number(values.clients, 96),
  };
  const report = await runFaults({ seed, ...options, signal, log: print });
  print(reportText(report));
  return report.violations.size === 0 && report.lost === 0;
}

/** Whether each is found. */
async function runPlanted(name: string): Promise<boolean> {
  const chosen = plants.filter((plant) => name === 'all' || plant.name === name);
  if (chosen.length === 0) throw new Error(`there is no ${name} to plant`);
  let areFound = true;
  for (const plant of chosen) {
    const seed = number(values.seed, Date.now() % 1_000_000);
    const options = {
      operations: number(values.operations, 10_000),
      faults: number(values.faults, 2 * faultKinds.length),
      clients: number(values.clients, 96),
    };
    const report = await runFaults({ seed, ...options, signal, plant });
    const isFound = report.violations.size > 0;
    areFound &&= isFound;
    print(`\n${plant.name}: ${isFound ? 'found' : 'NOT FOUND'}\n${reportText(report)}`);
  }
  return areFound;
}
