import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openDatabase } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { type ClusterServer, openClusters } from '../support/clusters.ts';

/**
 * One address at which one of several clusters answers at a time, as after a restore or a failover. All of it is ended and
 * removed after the test file.
 */
export async function openAddress() {
  const clusters = await openClusters();
  const connection = clusters.connectionTo(5432);
  let running: ClusterServer | undefined;

  const clusterIn = (cluster: string) => {
    const server = clusters.serverIn(cluster, 5432);
    return {
      /** Returns when it answers. Whichever ran before has ended by then. */
      async start(...settings: string[]): Promise<void> {
        await running?.stop('immediate');
        running = server;
        await server.start(settings);
      },

      /** `immediate` is a crash: what is not on disk is lost. */
      stop: async (how: 'fast' | 'immediate') => running?.stop(how),

      /** The same cluster once more, as it is now. It must be stopped. */
      copy: async (name: string) => clusterIn(await clusters.copy(cluster, name)),

      /** From its next start on it follows, though nobody leads it, until it is promoted. */
      standBy: () => writeFile(join(cluster, 'standby.signal'), ''),
    };
  };

  return {
    connection,

    /** A new cluster, running, with a migrated database. */
    async make(name: string) {
      const made = clusterIn(await clusters.make(name));
      await made.start();
      await clusters.ask('create database segmentd', 5432, 'postgres');
      const database = openDatabase({ connection, poolSize: 1 });
      await migrate(database.pool);
      await database.close();
      return made;
    },
  };
}
