import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyFacts, horizon } from '../../test/model/any-facts.ts';
import { livingAt } from '../timeline/definitions.ts';
import { explain } from '../timeline/explain.ts';
import { segmentsAt } from '../timeline/segments-at.ts';
import { evaluate, evaluateAll } from './evaluation.ts';

const reasons = { added: 'TARGETING_MATCH', excluded: 'TARGETING_MATCH', rollout: 'SPLIT', group_taken: 'SPLIT' };
const anyMoment = fc.integer({ min: 0, max: horizon });

test('tells of each segment what why tells, in fewer words', () => {
  fc.assert(
    fc.property(anyFacts, anyMoment, (facts, moment) => {
      for (const slug of facts.definitions.bySlug.keys()) {
        const told = evaluate(facts, slug, moment);
        if (!livingAt(facts.definitions, slug, moment)) {
          assert.equal(told, undefined);
          continue;
        }
        const { member, because, until, rollout } = explain(facts, slug, moment)!;
        const known = because in reasons ? (because as keyof typeof reasons) : undefined;
        assert.deepEqual(told, {
          key: slug,
          value: member,
          reason: known ? reasons[known] : 'STATIC',
          variant: member ? 'in' : 'out',
          metadata: {
            because: known ?? 'not_in',
            ...(rollout && { bucket: rollout.bucket }),
            ...(until !== null && { until: new Date(until).toISOString() }),
          },
        });
      }
    }),
    { numRuns: 1_000 },
  );
});

test('tells all living segments once, in byte order, and those that the user is in as a read does', () => {
  fc.assert(
    fc.property(anyFacts, anyMoment, (facts, moment) => {
      const all = evaluateAll(facts, moment);
      assert.deepEqual(
        all.filter(({ value }) => value).map(({ key }) => key),
        segmentsAt(facts, moment),
      );
      for (const one of all) assert.deepEqual(one, evaluate(facts, one.key, moment));
      const living = [...facts.definitions.bySlug.keys()].filter((slug) => livingAt(facts.definitions, slug, moment));
      assert.deepEqual(
        all.map(({ key }) => key),
        living.sort(),
      );
    }),
    { numRuns: 1_000 },
  );
});
