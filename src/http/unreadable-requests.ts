import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { problemBody } from './answer-problem.ts';
import { Problem, problems } from './problem.ts';

/** Answers what Node could not read as HTTP, which meets neither routes nor hooks: a problem like any other, then the end. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket) {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error);
    return;
  }
  const problem = new Problem('invalid_request', reasons[error.code ?? ''] ?? 'The request is not valid HTTP/1.1.');
  const [status] = problems[problem.code];
  const body = JSON.stringify(problemBody(problem, randomUUID()));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Who does not end its own side would keep it open for ever; at once, and what it still sends would cost it the answer.
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('close', () => clearTimeout(timer));
}

const lingerMs = 1_000;

/**
 * Node answers an `Expect` that it does not know with a bare 417 before anybody has the request. A server may ignore what it
 * does not know there (RFC 9110, 10.1.1), so that the request is answered as any other.
 */
export function ignoreExpectations({ server }: FastifyInstance) {
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
}

const reasons: Record<string, string> = {
  HPE_HEADER_OVERFLOW: 'The head of the request, its path and headers, is larger than 16 KiB.',
  ERR_HTTP_REQUEST_TIMEOUT: 'The request took longer than 60 seconds to arrive.',
};
