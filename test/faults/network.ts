import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type Network = Awaited<ReturnType<typeof openNetwork>>;

/**
 * What lies between a service and its database: a port that hands on to a socket. It can break, swallow and delay. (The relay
 * of test/following looks into what is said and holds single messages; here nothing but time and breaks matter.)
 */
export async function openNetwork(atEnd: (end: () => Promise<void>) => void, path: () => string) {
  const links = new Set<readonly [Socket, Socket]>();
  let isRefusing = false;
  let isSwallowing = false;
  let delayMs = () => 0;
  const held: (() => void)[] = [];

  /** In the order in which it came, whatever the delays are. */
  const pass = (from: Socket, to: Socket) => {
    const underWay: { piece: Buffer; dueAt: number }[] = [];
    let isDelivering = false;
    const deliver = async () => {
      isDelivering = true;
      for (let next = underWay.shift(); next; next = underWay.shift()) {
        const ms = next.dueAt - performance.now();
        if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
        if (isSwallowing) await new Promise<void>((resolve) => held.push(resolve));
        to.write(next.piece);
      }
      isDelivering = false;
    };
    from.on('data', (piece: Buffer) => {
      const ms = delayMs();
      if (isDelivering || ms > 0 || isSwallowing) {
        underWay.push({ piece, dueAt: performance.now() + ms });
        if (!isDelivering) void deliver();
      } else if (!to.write(piece)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
  };

  const join = (client: Socket) => {
    const link = [client, connect({ path: path() })] as const;
    links.add(link);
    for (const socket of link) {
      socket.setNoDelay(true);
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => {
        links.delete(link);
        for (const end of link) end.destroy();
      });
    }
    pass(client, link[1]);
    pass(link[1], client);
  };

  const listener = createServer((client) => {
    if (isRefusing) client.destroy();
    else join(client);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');

  const cut = () => {
    for (const link of links) for (const end of link) end.destroy();
  };
  atEnd(async () => {
    listener.close();
    cut();
    await once(listener, 'close');
  });

  return {
    port: (listener.address() as AddressInfo).port,

    /** Breaks every connection. */
    cut,

    /** From now on no connection is made, or again. */
    refuse(isOn: boolean) {
      isRefusing = isOn;
    },

    /** From now on nothing arrives, and nobody is told; or what was sent meanwhile arrives. */
    swallow(isOn: boolean) {
      isSwallowing = isOn;
      if (!isOn) for (const release of held.splice(0)) release();
    },

    /** What is sent from now on takes so long. */
    slow(ms: () => number) {
      delayMs = ms;
    },
  };
}
