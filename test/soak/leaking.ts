import { subscribe } from 'node:diagnostics_channel';
import { openSync } from 'node:fs';
import type { Plant } from './run.ts';

// Loaded into the service by `--plant`, to see that the soak notices: of each request, or of one in 500, something is kept for good.
const kept: unknown[] = [];
let requests = 0;

const plants: Record<Plant, () => void> = {
  rss: () => void kept.push(Buffer.alloc(8_192, 1)), // outside the heap
  heap: () => void kept.push(Array.from({ length: 30 }, () => ({}))),
  handles: () => {
    if (requests % 500 === 0) openSync('/dev/null', 'r');
  },
};
const leak = plants[process.env.SOAK_PLANT as Plant];

subscribe('http.server.request.start', () => {
  requests++;
  leak();
});
