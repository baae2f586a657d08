import { connect, type Socket } from 'node:net';
import { after } from 'node:test';

/** When the connection is gone, whether it was ended or cut; unlike `once`, which fails where a reset came with bytes under way. */
export const gone = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on('error', () => {}).once('close', () => resolve());
    if (socket.closed) resolve();
  });

/** A connection to a port of this machine, and what has come on it so far, a character a byte. */
export function listening(port: number) {
  const socket = connect(port, '127.0.0.1');
  after(() => socket.destroy());
  let received = '';
  socket.setEncoding('latin1').on('data', (part: string) => (received += part));
  return { socket, received: () => received };
}
