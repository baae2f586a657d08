import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lookupText, presentSegments, segmentsText } from './reading.schemas.ts';

const visible = fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), minLength: 1 });
const segments = fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,20}$/));
const said = fc.record({
  asOf: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  revision: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  ageMs: fc.nat(),
});

test('what is put together by hand is what JSON.stringify makes of the answer', () => {
  fc.assert(
    fc.property(visible, segments, said, (userId, slugs, rest) => {
      const read = { segments: slugs, ...rest };
      assert.equal(segmentsText(userId, read), JSON.stringify(presentSegments(userId, read)));
    }),
  );
});

test('a lookup says of each user what the read of that user says', () => {
  const users = fc.array(fc.record({ userId: visible, segments }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(users, said, (all, rest) => {
      const { as_of, revision } = presentSegments('', { segments: [], ...rest });
      const present = all.map(({ userId, segments: slugs }) => {
        const { user_id, segments: list } = presentSegments(userId, { segments: slugs, ...rest });
        return { user_id, segments: list };
      });
      assert.equal(lookupText({ users: all, ...rest }), JSON.stringify({ users: present, as_of, revision }));
    }),
  );
});
