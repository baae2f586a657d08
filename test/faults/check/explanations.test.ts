import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Maker, makerOf, type OpenChange, settle } from './explanations.ts';

/** Who really made each change, and who else would have done the same. */
const histories = (mostRequests: number) =>
  fc
    .record({
      imports: fc.integer({ min: 1, max: 5 }),
      requests: fc.integer({ min: 0, max: mostRequests }),
      changes: fc.array(
        fc.record({
          user: fc.integer({ min: 0, max: 7 }),
          by: fc.nat(),
          others: fc.array(fc.nat(), { maxLength: 5 }),
          first: fc.nat(),
        }),
        { maxLength: 40 },
      ),
    })
    .map(historyOf);

interface Drawn {
  readonly imports: number;
  readonly requests: number;
  readonly changes: readonly { user: number; by: number; others: readonly number[]; first: number }[];
}

function historyOf({ imports, requests, changes }: Drawn) {
  const made = new Set<string>();
  const truly = changes
    .map((change) => ({ ...change, by: change.by % (imports + requests) }))
    .filter(({ user, by }) => {
      const once = by < imports ? `${user} ${by}` : `${by}`; // an import changes nobody twice, a request makes one change
      if (made.has(once)) return false;
      made.add(once);
      return true;
    });
  const makers = Array.from({ length: imports + requests }, (_, i) =>
    makerOf(i < imports ? truly.filter(({ by }) => by === i).length : 1, i >= imports),
  );
  const open = truly.map(({ user, by, others, first }): OpenChange => {
    const able = [...new Set([by, ...others.map((other) => other % makers.length)])];
    const turned = able.map((_, i) => makers[able[(i + first) % able.length]!]!);
    return { userId: String(user), revision: 1, makers: turned };
  });
  return { makers, open };
}

const isFull = ({ isRequest, most, made }: Maker) => isRequest || made.size === most;

test('whatever else may have made the changes, each finds one, and each import as many as it says', () => {
  fc.assert(
    fc.property(histories(5), ({ makers, open }) => {
      assert.deepEqual(settle(open), []);
      assert.ok(makers.every(isFull));
      for (const { userId, makers: able, maker } of open) {
        assert.ok(maker && able.includes(maker));
        assert.equal(open.filter((other) => other.maker === maker && other.userId === userId).length, 1);
      }
    }),
    { numRuns: 2_000 },
  );
});

const sum = (makers: Maker[], of: (maker: Maker) => number) => makers.reduce((all, one) => all + of(one), 0);

test('of one change of an import too few just one is missed, and of one too many just that is', () => {
  fc.assert(
    fc.property(histories(0), fc.nat(), fc.boolean(), ({ makers, open }, pick, isOneMore) => {
      const one = open[pick % open.length];
      fc.pre(one !== undefined);
      const homeless = settle(isOneMore ? [...open, { ...one, userId: 'another' }] : open.filter((other) => other !== one));
      assert.deepEqual(homeless, []);
      assert.equal(
        sum(makers, ({ most, made }) => Math.max(0, most - made.size)),
        isOneMore ? 0 : 1,
        'missed',
      );
      assert.equal(
        sum(makers, ({ most, made }) => Math.max(0, made.size - most)),
        isOneMore ? 1 : 0,
        'too many',
      );
    }),
    { numRuns: 2_000 },
  );
});

test('a change for which there is no room is counted to an import that may have made it, or is told of', () => {
  const [full, request] = [makerOf(0, false), makerOf(1, true)];
  const change = (userId: string, makers: Maker[]): OpenChange => ({ userId, revision: 1, makers });
  const open = [change('a', [full]), change('a', [full]), change('b', [request]), change('b', [request])];
  assert.equal(settle(open).length, 2);
  assert.equal(full.made.size, 1);
});
