#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { checkDatabase } from './cli/check.ts';
import { CommandError, connect } from './cli/connect.ts';
import { exportFile, importFile } from './cli/files.ts';
import { keys } from './cli/keys.ts';
import { seed } from './cli/seed.ts';
import { serve } from './cli/serve.ts';
import { ConfigError, readConfig } from './config.ts';
import { EmbeddedPostgresError } from './db/embedded/embedded.ts';
import { migrate, SchemaError } from './db/migrate.ts';

const help = `segmentd: who is in which segment, who was, and why

  segmentd serve                               run the service
  segmentd migrate                             bring the schema of the database up to date
  segmentd check [--json]                      verify all that the database holds, beside a running service or alone
  segmentd keys create --name NAME --scope SCOPE
                                               make a key and print it, this once
  segmentd keys list                           list the keys
  segmentd keys revoke --name NAME             end a key; its name is never given again
  segmentd import SLUG FILE [--operation add|remove|replace] [--ttl 2d] [--replace-in-group]
                                               send a file of user ids to a running service
  segmentd export SLUG [--output FILE]         who is in a segment by hand, from a running service
  segmentd seed [--users N] [--segments N]     fill a running service with demo data
  segmentd --help                              this text

A SCOPE is evaluate, read, write or admin; each includes those before it.
The commands for a running service reach it at SEGMENTD_URL or --url (http://127.0.0.1:8080), with the key in SEGMENTD_KEY.
check exits with 0 where all is well, 1 where something is violated, 2 where it could not check.
import exits with 0, or 3 where rows were rejected (they are then in FILE.rejects.csv), 1 where it failed, 130 after Ctrl-C.
Settings come from the environment and from .env in the working folder: see the table in README.md.
Without DATABASE_URL a PostgreSQL of its own is run, with its data in DATA_DIR (./data).
`;

process.stderr.on('error', () => {}); // a terminal that is gone

const print = (line: string) => void process.stdout.write(`${line}\n`);
const log = (line: string) => void process.stderr.write(`${line}\n`);

/** How many words a command takes behind its name. */
const operands: Record<string, number> = { keys: 1, import: 2, export: 1 };

async function run(): Promise<void> {
  const { values, positionals } = parse();
  const [command, action, extra] = positionals;
  const surplus = positionals[1 + (operands[command ?? ''] ?? 0)];
  if (surplus !== undefined) throw new CommandError(`${command} takes no ${JSON.stringify(surplus)}. See segmentd --help.`);
  if (values.help || command === 'help') return void process.stdout.write(help);
  if (command === 'serve') return serve();
  if (command === 'migrate') return runMigrate();
  if (command === 'check') return void (process.exitCode = await checkDatabase(values, log));
  if (command === 'keys') return keys(action, values, print, log);
  if (command === 'import')
    process.exitCode = await importFile(action, extra, { ...values, replaceInGroup: values['replace-in-group'] }, log);
  else if (command === 'export') process.exitCode = await exportFile(action, values);
  else if (command === 'seed') process.exitCode = await seed(values, log);
  else
    throw new CommandError(
      `${command === undefined ? 'Say what to do' : `There is no command ${command}`}. See segmentd --help.`,
    );
}

function parse() {
  try {
    const options = {
      help: { type: 'boolean', short: 'h' },
      name: { type: 'string' },
      scope: { type: 'string' },
      url: { type: 'string' },
      operation: { type: 'string' },
      ttl: { type: 'string' },
      'replace-in-group': { type: 'boolean' },
      output: { type: 'string' },
      users: { type: 'string' },
      segments: { type: 'string' },
      json: { type: 'boolean' },
    } as const;
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new CommandError(`${(error as Error).message.split('. ', 1)[0]!.replace(/\.$/, '')}. See segmentd --help.`, {
      cause: error,
    });
  }
}

async function runMigrate(): Promise<void> {
  const { database, close } = await connect(readConfig(), 'join', log);
  try {
    const applied = await migrate(database.pool);
    for (const { name } of applied) print(`applied ${name}`);
    if (applied.length === 0) print('the schema is up to date');
  } finally {
    await close();
  }
}

try {
  await run();
} catch (error) {
  const isPlain = [CommandError, ConfigError, EmbeddedPostgresError, SchemaError].some((known) => error instanceof known);
  log(
    isPlain
      ? `segmentd: ${(error as Error).message}`
      : `segmentd failed: ${error instanceof Error ? error.stack : String(error)}`,
  );
  process.exitCode = process.argv[2] === 'check' ? 2 : 1; // 1 there says that something is violated
}
