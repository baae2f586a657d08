import { execFile } from 'node:child_process';
import { chown, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type ClusterServer, openClusters } from '../support/clusters.ts';
import { until } from '../support/service.ts';

/** As in production: what is acknowledged is on disk. WAL is kept for a standby that is being made. */
const durable = ['fsync=on', 'full_page_writes=on', 'synchronous_commit=on', 'wal_keep_size=2GB', 'max_wal_size=1GB'];

/**
 * A primary with a standby that it waits for, so that whatever was acknowledged outlives the primary. While a standby is made
 * there is none to wait for; it is promoted only when it has been waited for by every transaction since.
 */
export async function openPair(atEnd: (end: () => Promise<void>) => void) {
  const clusters = await openClusters(atEnd);
  const ports = [5432, 5433] as const;
  let primary = clusters.serverIn(await clusters.make('cluster-0'), ports[0]);
  let standby: ClusterServer | undefined;
  let made = 0;
  await primary.start(durable);
  await clusters.ask('create database segmentd', primary.port, 'postgres');

  const ask = async <R extends pg.QueryResultRow>(text: string, server = primary) =>
    (await clusters.ask(text, server.port, 'postgres')).rows as R[];
  const holds = async (text: string) => (await ask<{ holds: boolean }>(`select (${text}) as holds`))[0]!.holds;

  /** PostgreSQL manual, 25.3.3: a base backup with the low-level functions, since the binaries bring no pg_basebackup. */
  const backUp = async (): Promise<string> => {
    const client = new pg.Client(clusters.connectionTo(primary.port, 'postgres'));
    await client.connect();
    try {
      await client.query(`select pg_backup_start('standby', true)`);
      const copy = clusters.pathOf(`cluster-${++made}`);
      // What vanishes or grows meanwhile is mended by the WAL.
      await promisify(execFile)('cp', ['-a', primary.cluster, copy]).catch((error: unknown) => {
        if (!/^(cp: [^\n]*No such file or directory\n?)+$/.test((error as { stderr: string }).stderr)) throw error;
      });
      const { rows } = await client.query<{ labelfile: string }>(`select labelfile from pg_backup_stop(false)`);
      const left = [
        'postmaster.pid',
        'postmaster.opts',
        ...(await readdir(join(copy, 'pg_wal'))).map((name) => `pg_wal/${name}`),
      ];
      for (const name of left) if (!/pg_wal\/(archive_status|summaries)$/.test(name)) await rm(join(copy, name), { force: true });
      for (const [name, text] of [
        ['backup_label', rows[0]!.labelfile],
        ['standby.signal', ''],
      ] as const) {
        await writeFile(join(copy, name), text);
        await chown(join(copy, name), clusters.account.uid, clusters.account.gid);
      }
      return copy;
    } finally {
      await client.end();
    }
  };

  const waitFor = async (name: 'standby' | 'nobody') => {
    await ask(`alter system set synchronous_standby_names = '${name}'`);
    await ask('select pg_reload_conf()');
  };

  const waitForStandby = async () => {
    await waitFor('standby');
    await until(
      () => holds(`exists (select from pg_stat_replication where sync_state = 'sync')`),
      'the standby to be waited for',
      30_000,
    );
    const [row] = await ask<{ at: Date }>('select clock_timestamp() as at');
    // Who began to commit before that may not have waited.
    const isOld = `exists (select from pg_stat_activity where backend_type = 'client backend' and xact_start < '${row!.at.toISOString()}')`;
    await until(() => holds(`not ${isOld}`), 'transactions from before to end', 30_000);
    const [wal] = await ask<{ lsn: string }>('select pg_current_wal_lsn() as lsn');
    await until(
      () => holds(`exists (select from pg_stat_replication where flush_lsn >= '${wal!.lsn}')`),
      'the standby to have it',
      30_000,
    );
  };

  const makeStandby = async () => {
    const { host, port, user } = clusters.connectionTo(primary.port);
    const cluster = await backUp();
    standby = clusters.serverIn(cluster, ports[0] + ports[1] - primary.port);
    const conninfo = `primary_conninfo=host='${host}' port=${port} user=${user} application_name=standby`;
    await standby.start([...durable, conninfo, 'hot_standby=on']);
    await waitForStandby();
  };
  await makeStandby();

  return {
    /** Where the primary answers now. */
    connection: () => clusters.connectionTo(primary.port),
    path: () => `${clusters.connectionTo(primary.port).host}/.s.PGSQL.${primary.port}`,

    /** A crash: by the signal that leaves nothing to be done, or by the one that PostgreSQL calls immediate. Then recovery. */
    async crash(how: 'immediate' | 'kill', pause: () => Promise<void>) {
      await primary.stop(how);
      await pause();
      await primary.start(durable, 50);
    },

    /** The primary is gone for good and the standby takes its place. Nobody may reach the old one any more. */
    async failOver(how: 'immediate' | 'kill') {
      const old = primary;
      await old.stop(how);
      const [row] = await ask<{ is_done: boolean }>('select pg_promote(true, 60) as is_done', standby);
      if (!row!.is_done) throw new Error('the standby was not promoted');
      primary = standby!;
      standby = undefined;
      await rm(old.cluster, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
    },

    /** As if the standby did not answer: what is written has its moment, and neither commits nor is seen. */
    async holdCommits(meanwhile: () => Promise<void>) {
      await waitFor('nobody');
      await meanwhile();
      await waitFor('standby');
    },

    /** Another standby in place of the one that was promoted. */
    makeStandby,
  };
}
