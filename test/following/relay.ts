import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import pg, { type ClientConfig } from 'pg';

export type Relay = Awaited<ReturnType<typeof openRelay>>;

/** Something that a test has stopped: `reached` when it got there, to go on after `release`. */
export interface Held {
  readonly reached: Promise<void>;
  release(): void;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** By the client, at the beginning. */
  said: string;
  /** From the server, at the beginning. */
  heard: string;
}

interface Gate {
  readonly text: string;
  readonly isAnswer: boolean;
  reach(): void;
  readonly released: Promise<void>;
}

/**
 * Stands between an app and its server, which is what a network is: here a test holds, cuts and refuses connections. Whose
 * they are and where they are is seen by the text they send, such as the name of a prepared statement.
 */
export async function openRelay(target: ClientConfig) {
  const { host, port, user, password, database, ssl } = new pg.Client(target);
  const links = new Set<Link>();
  const gates = new Set<Gate>();
  const watched = new Map<string, number>();
  let isRefusing = false;

  const findGate = (text: string, isAnswer: boolean) => {
    const found = [...gates].find((gate) => gate.isAnswer === isAnswer && text.includes(gate.text));
    if (found) gates.delete(found);
    return found;
  };

  const passOn = async (link: Link, piece: Buffer) => {
    const text = piece.toString('latin1');
    if (link.said.length < 10_000) link.said += text;
    for (const [name, count] of watched) if (text.includes(name)) watched.set(name, count + 1);
    const gate = findGate(text, false);
    if (gate) {
      link.client.pause();
      gate.reach();
      await gate.released;
      link.client.resume();
    }
    link.server.write(piece);
  };

  const passBack = async (link: Link, piece: Buffer) => {
    if (link.heard.length < 1_000) link.heard += piece.toString('latin1');
    link.client.write(piece);
    const gate = findGate(link.said, true);
    if (!gate) return;
    link.server.pause();
    gate.reach();
    await gate.released;
    link.server.resume();
  };

  const join = (client: Socket) => {
    const server = connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
    const link: Link = { client, server, said: '', heard: '' };
    links.add(link);
    for (const socket of [client, server]) {
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => {
        links.delete(link);
        client.destroy();
        server.destroy();
      });
    }
    client.on('data', (piece) => void passOn(link, piece));
    server.on('data', (piece) => void passBack(link, piece));
  };

  const listener = createServer((client) => {
    if (isRefusing) client.destroy();
    else join(client);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');

  const hold = (text: string, isAnswer: boolean): Held => {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    gates.add({ text, isAnswer, reach: reached.resolve, released: released.promise });
    return { reached: reached.promise, release: released.resolve };
  };

  return {
    connection: {
      host: '127.0.0.1',
      port: (listener.address() as AddressInfo).port,
      user,
      password,
      database,
      ssl,
    } as ClientConfig,

    /** Holds the next connection that sends the text: the server does not get it. */
    hold: (text: string) => hold(text, false),

    /** Holds the next connection that has sent the text, after the first piece of what the server says then. */
    holdAnswer: (text: string) => hold(text, true),

    /** How often the text was sent since the first time that this was asked. */
    countOf(text: string): number {
      if (!watched.has(text)) watched.set(text, 0);
      return watched.get(text)!;
    },

    /** The processes of the server behind the connections that have sent the text, by what each said of itself at the start. */
    backendsOf(text: string): number[] {
      const speaking = [...links].filter(({ said }) => said.includes(text));
      return speaking.flatMap(({ heard }) => {
        const [found] = /K\0\0\0\f[^]{8}/.exec(heard) ?? []; // BackendKeyData
        return found ? [Buffer.from(found, 'latin1').readInt32BE(5)] : [];
      });
    },

    /** Breaks the connections that have sent the text: by default all. */
    cut(text = '') {
      for (const { client, server, said } of links) {
        if (!said.includes(text)) continue;
        client.destroy();
        server.destroy();
      }
    },

    /** From now on no connection is made, or again. */
    refuse(isOn: boolean) {
      isRefusing = isOn;
    },

    async close() {
      listener.close();
      this.cut();
      await once(listener, 'close');
    },
  };
}
