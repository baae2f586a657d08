import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compare, endOf, parsePosition, type Position, positionText } from './position.ts';

const anyPosition: fc.Arbitrary<Position> = fc.oneof(
  fc.nat().map(endOf),
  fc.record({
    at: fc.nat(5),
    userId: fc.oneof(
      fc.constantFrom('', ':', '1:', '~', '1000'),
      fc.string({ unit: fc.constantFrom('a', ':', '!', '~'), maxLength: 128 }),
    ),
    count: fc.nat(999_999_999),
  }),
);

test('a place is read back from its text', () => {
  fc.assert(fc.property(anyPosition, (position) => assert.deepEqual(parsePosition(positionText(position)), { ...position })));
});

for (const [position, text] of [
  [{ at: 1_795_428_000_000, userId: '1000', count: 1 }, '1795428000000:1:1000'],
  [{ at: 1_795_428_000_000, userId: '', count: 2 }, '1795428000000:2:'],
  [endOf(1_795_428_000_000), '1795428000000'],
] as const) {
  test(`${text} is told`, () => assert.equal(positionText(position), text));
}

for (const text of [
  '',
  ' 1',
  '1 ',
  '01',
  '-1',
  '1:',
  '1:1',
  '1:01:a',
  '1:-1:a',
  '1:1:é',
  '1:1:a b',
  `1:1:${'a'.repeat(129)}`,
  '253402300800000',
  '1e3',
  '9'.repeat(20),
]) {
  test(`${JSON.stringify(text)} is no place`, () => assert.equal(parsePosition(text), undefined));
}

test('places are in the order of moments, then of segments before users, then of ids in byte order, then of their changes', () => {
  const inOrder: Position[] = [
    endOf(4),
    { at: 5, userId: '', count: 1 },
    { at: 5, userId: '', count: 2 },
    { at: 5, userId: '!', count: 1 },
    { at: 5, userId: '10', count: 0 },
    { at: 5, userId: '10', count: 9 },
    { at: 5, userId: '10', count: 10 },
    { at: 5, userId: '9', count: 1 },
    { at: 5, userId: 'Z', count: 1 },
    { at: 5, userId: 'a', count: 1 },
    { at: 5, userId: '~'.repeat(128), count: 3 },
    endOf(5),
    { at: 6, userId: '', count: 1 },
  ];
  for (const [i, a] of inOrder.entries())
    for (const [j, b] of inOrder.entries())
      assert.equal(Math.sign(compare(a, b)), Math.sign(i - j), `${positionText(a)} ${positionText(b)}`);
});
