import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyFacts, horizon } from '../../../test/model/any-facts.ts';
import { segmentsAt } from '../../timeline/segments-at.ts';
import { decode, encode, factsOf, type Value, valueAfter, valueOf } from './value.ts';

const count = fc.maxSafeNat();
const plain = { noNullPrototype: true };
const anyStay = fc.record(
  {
    segmentId: fc.nat(),
    excluded: fc.boolean(),
    startsAt: fc.maxSafeInteger(),
    endsAt: fc.option(fc.maxSafeInteger(), { nil: Infinity }),
  },
  plain,
);
const anyValue: fc.Arbitrary<Value> = fc.record({ asOf: count, reached: count, version: count, stays: fc.array(anyStay) }, plain);

test('what is held is what was given, to the number', () => {
  fc.assert(fc.property(anyValue, (value) => assert.deepEqual(decode(encode(value)), value)));
});

test('a value says of every moment of the present and the future what its facts say', () => {
  fc.assert(
    fc.property(anyFacts, fc.integer({ min: 0, max: horizon }), (facts, moment) => {
      const value = decode(encode(valueOf(facts, 0, 0)))!;
      assert.deepEqual(segmentsAt(factsOf(facts.userId, value, facts.definitions), moment), segmentsAt(facts, moment));
    }),
  );
});

test('bytes of others are no value: neither cut off, nor with a part more, less or of another kind', () => {
  const anyPart = fc.oneof(fc.string(), fc.double({ noInteger: true }), fc.integer({ max: -1 }), fc.boolean(), fc.object());
  fc.assert(
    fc.property(anyValue, anyPart, fc.nat(), (value, part, at) => {
      const text = encode(value);
      assert.equal(decode(text.slice(0, at % text.length)), undefined);
      const [reached, asOf, version, stays] = JSON.parse(text) as [number, number, number, unknown[]];
      const parts: unknown[] = [reached, asOf, version, stays];
      assert.equal(decode(JSON.stringify([...parts, 1])), undefined);
      assert.equal(decode(JSON.stringify(parts.with(at % 4, part))), undefined);
      assert.equal(decode(JSON.stringify(parts.slice(0, 3))), undefined);
      assert.equal(decode(JSON.stringify(parts.with(3, [...stays, 1]))), undefined);
      for (const wrong of [
        [-1, 0, 0, null],
        [0, 2, 0, null],
        [0, 0, 0.5, null],
        [0, 0, 0, 'x'],
        [0, 0, null, null],
      ]) {
        assert.equal(decode(JSON.stringify(parts.with(3, wrong))), undefined, String(wrong));
      }
    }),
  );
  for (const text of ['', 'null', '[]', '{}', '7', '\u0000', '[1,2,3,{}]']) assert.equal(decode(text), undefined, text);
});

test('a value has reached the newest of the change of its user, of its definitions, and of what was settled before it', () => {
  fc.assert(
    fc.property(anyFacts, fc.option(count), count, fc.nat(), (facts, revision, ofDefinitions, settled) => {
      const known = { ...facts, revision, definitions: { ...facts.definitions, revision: ofDefinitions } };
      assert.equal(valueOf(known, 0, settled).reached, Math.max(revision ?? 0, ofDefinitions, settled * 1000));
    }),
  );
});

test('the value after a change is of the very moment of the change', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const { asOf, reached } = valueAfter({ ...facts, revision: 1_795_465_508_366_511 });
      assert.deepEqual([asOf, reached], [1_795_465_508_366, 1_795_465_508_366_511]);
    }),
  );
});
