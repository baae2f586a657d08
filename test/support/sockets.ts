import type { Socket } from 'node:net';

/** When the connection is gone, whether it was ended or cut; unlike `once`, which fails where a reset came with bytes under way. */
export const gone = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on('error', () => {}).once('close', () => resolve());
    if (socket.closed) resolve();
  });
