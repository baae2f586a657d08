/**
 * The least that a Node process can do over HTTP: answers every request with the same bytes, without looking at it. The
 * bytes come in FLOOR_ANSWER, as JSON `{headers, body}`.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const { headers, body } = JSON.parse(process.env.FLOOR_ANSWER!) as { headers: Record<string, string>; body: string };
const bytes = Buffer.from(body);

const server = createServer((request, response) => {
  const answer = () => {
    response.writeHead(200, headers);
    response.end(bytes);
  };
  if (request.method === 'GET') return answer();
  request.resume().once('end', answer);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`the floor is ready on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
