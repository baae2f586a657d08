import { isKeyName, nameIsTaken, newKey, type Scope, scopes, sha256Of } from '../access/key.ts';
import { type KeysStore, keysStore } from '../access/keys.store.ts';
import { readConfig } from '../config.ts';
import { migrate } from '../db/migrate.ts';
import { CommandError, connect } from './connect.ts';

export interface KeysOptions {
  readonly name?: string | undefined;
  readonly scope?: string | undefined;
}

type Print = (line: string) => void;

/** `keys create`, `keys list`, `keys revoke`: beside a running service, or alone. */
export async function keys(action: string | undefined, options: KeysOptions, print: Print, log: Print): Promise<void> {
  const run = actionOf(action, options);
  const { database, close } = await connect(readConfig(), 'join', log);
  try {
    await migrate(database.pool);
    await run(keysStore(database), print);
  } finally {
    await close();
  }
}

/** Checked before anything is opened. */
function actionOf(action: string | undefined, { name, scope }: KeysOptions): (store: KeysStore, print: Print) => Promise<void> {
  if (action === 'list') return list;
  if (action === 'revoke') return revoke(named(name));
  if (action === 'create') return create(named(name), scopeOf(scope));
  throw new CommandError(`keys takes create, list or revoke; got ${action ?? 'nothing'}. See segmentd --help.`);
}

const list = async (store: KeysStore, print: Print) => {
  const all = await store.list();
  const width = Math.max(4, ...all.map(({ name }) => name.length));
  print(`${'NAME'.padEnd(width)}  SCOPE     CREATED                   REVOKED`);
  for (const { name, scope, createdAt, revokedAt } of all) {
    const revoked = revokedAt === Infinity ? '-' : new Date(revokedAt).toISOString();
    print(`${name.padEnd(width)}  ${scope.padEnd(8)}  ${new Date(createdAt).toISOString()}  ${revoked}`);
  }
};

const create = (name: string, scope: Scope) => async (store: KeysStore, print: Print) => {
  const key = newKey();
  const isMade = await store.insert({ name, scope }, sha256Of(key));
  if (!isMade) throw new CommandError(nameIsTaken(name));
  print(key);
};

const revoke = (name: string) => async (store: KeysStore, print: Print) => {
  const isRevoked = await store.revoke(name);
  if (!isRevoked) throw new CommandError(`No living key is named ${name}.`);
  print(`revoked ${name}`);
};

function named(name: string | undefined): string {
  if (name === undefined) throw new CommandError('Give the name of the key with --name.');
  if (!isKeyName(name)) throw new CommandError(`--name must be 1 to 128 visible characters; got ${JSON.stringify(name)}.`);
  return name;
}

function scopeOf(scope: string | undefined): Scope {
  const known = scopes.find((one) => one === scope);
  if (!known) throw new CommandError(`--scope must be one of ${scopes.join(', ')}; got ${scope ?? 'nothing'}.`);
  return known;
}
