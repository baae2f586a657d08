import { databaseClock } from '../../src/db/clock.ts';
import type { LogStore, Position } from '../../src/reading/snapshot/log.store.ts';
import type { DefinitionsStore, SegmentDefinitions, SegmentRecord } from '../../src/segments/definitions.store.ts';
import { indexDefinitions } from '../../src/timeline/definitions.ts';
import { firstUserId, membershipsAUser, segmentCount, slugOf } from '../support/population.ts';

/**
 * What a snapshot follows, without a database: the stream that PostgreSQL would send of so many users, and no news. So ten
 * million users can be held to measure without filling them in first.
 */
export function madeUpLog(users: number) {
  const clock = databaseClock();
  const now = Date.now();
  clock.observe(now * 1000);
  const definitions = definitionsAt(now);
  const position: Position = {
    snapshot: '1:1:',
    identity: 'made up',
    version: 1,
    definitionsRevision: 1,
    newest: null,
    settled: now * 1000,
    asOf: now,
  };
  const log: LogStore = {
    begin: async () => ({ ...position, asOf: clock.now() }),
    news: async () => ({ kind: 'changes', changes: [] }),
    users: async () => [],
    end: async () => {},
    async load(open) {
      const rows = open(position);
      for (const piece of streamOf(users)) rows.push(piece);
      rows.end();
      return position;
    },
  };
  const held: DefinitionsStore = {
    current: async () => definitions,
    held: () => ({ definitions, asOf: now }),
    forget: () => {},
    atLeast: async () => definitions,
    ofVersion: async () => definitions,
  };
  return { log, clock, definitions: held };
}

function definitionsAt(now: number): SegmentDefinitions {
  const segments = Array.from({ length: segmentCount }, (_, i): SegmentRecord => {
    const createdAt = now - 1000;
    return {
      id: i + 1,
      slug: slugOf(i + 1),
      description: '',
      salt: slugOf(i + 1),
      exclusiveGroup: null,
      createdAt,
      createdBy: 'bench',
      updatedAt: createdAt,
      deletedAt: Infinity,
      deletedBy: null,
      rollouts: [],
    };
  });
  return indexDefinitions(1, 1, segments);
}

/** The binary format of COPY, in pieces as they come from a socket; the rows are those of `populate`. */
function* streamOf(users: number): Generator<Buffer> {
  const header = Buffer.alloc(19);
  header.write('PGCOPY\n\xff\r\n\0', 'latin1');
  yield header;
  const usersAPiece = 256;
  for (let from = 0; from < users; from += usersAPiece) {
    const count = Math.min(usersAPiece, users - from);
    const piece = Buffer.alloc(count * membershipsAUser * rowBytes);
    for (let i = 0; i < count; i++) writeUser(piece, i * membershipsAUser * rowBytes, from + i);
    yield piece;
  }
  yield Buffer.from([0xff, 0xff]);
}

/** Count of fields; then each behind its length: id, segment, exclusion, start, end. */
const rowBytes = 2 + (4 + 8) + (4 + 4) + (4 + 1) + (4 + 8) + (4 + 8);

const template = Buffer.alloc(rowBytes);
template.writeInt16BE(5, 0);
template.writeInt32BE(8, 2);
template.writeInt32BE(4, 14);
template.writeInt32BE(1, 22);
template.writeInt32BE(8, 27);
template.writeBigInt64BE(800_000_000_000_000n, 31); // some day in 2025
template.writeInt32BE(8, 39);
template.writeBigInt64BE(0x7fffffffffffffffn, 43);

function writeUser(into: Buffer, at: number, i: number) {
  const segments = Array.from({ length: membershipsAUser }, (_, k) => 1 + ((i + 3 * k) % segmentCount));
  for (const [k, segment] of segments.sort((a, b) => a - b).entries()) {
    const row = at + k * rowBytes;
    template.copy(into, row);
    into.write(String(firstUserId + i), row + 6, 'latin1');
    into.writeInt32BE(segment, row + 18);
  }
}
