import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventsBetween } from '../../src/timeline/events.ts';
import { livingAt } from '../../src/timeline/definitions.ts';
import { explain } from '../../src/timeline/explain.ts';
import type { Facts } from '../../src/timeline/facts.ts';
import { segmentsAt } from '../../src/timeline/segments-at.ts';
import { bucketOfUser, runCore, second } from './core-run.ts';
import { horizon, randomHistory, randomSource, slugs } from './random-history.ts';
import { type ModelRun, replay } from './reference-model.ts';

// MODEL_HISTORIES and MODEL_SEED: to run more of them, or one again.
const histories = Number(process.env.MODEL_HISTORIES ?? 100_000);
const firstSeed = Number(process.env.MODEL_SEED ?? 1);

test(`the core and the reference model agree on ${histories} random histories`, () => {
  for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
    const commands = randomHistory(seed);
    const random = randomSource(seed ^ 0x5eed);
    const model = replay(commands, horizon, bucketOfUser);
    const core = runCore(commands, random.below);
    try {
      assert.deepEqual(core.answers, model.answers, 'the answers');
      agreeOnEvents(core.facts, model);
      agreeOnMembers(core.facts, model, random);
      shareNobody(core.facts);
    } catch (error) {
      throw new Error(`MODEL_SEED=${seed} MODEL_HISTORIES=1: ${JSON.stringify(commands)}`, { cause: error });
    }
  }
});

function agreeOnEvents(facts: Facts, model: ModelRun) {
  const events = eventsBetween(facts, 0, (horizon + 1) * second).map((event) => ({ ...event, at: event.at / second }));
  assert.deepEqual(events, model.events, 'the events');
}

/** Invariant 7: at the moment of each event, and so at any moment, nobody is in two segments of one group. */
function shareNobody(facts: Facts) {
  if (facts.definitions.segments.every(({ exclusiveGroup }) => exclusiveGroup === null)) return;
  for (const { at } of eventsBetween(facts, 0, Infinity)) {
    const groups = segmentsAt(facts, at).flatMap((slug) => livingAt(facts.definitions, slug, at)!.exclusiveGroup ?? []);
    assert.equal(new Set(groups).size, groups.length, `two of one group at ${at / second}`);
  }
}

/** At random moments: who is in, that replaying the events gives the same, and why. */
function agreeOnMembers(facts: Facts, model: ModelRun, random: ReturnType<typeof randomSource>) {
  for (let i = 0; i < 4; i++) {
    const at = random.below(horizon + 1);
    const moment = at * second + random.below(second);
    const members = segmentsAt(facts, moment);
    assert.deepEqual(members, model.members(at), `the members at ${at}`);

    const replayed = new Set<string>();
    for (const { operation, segment } of eventsBetween(facts, 0, moment + 1))
      replayed[operation === 'add' ? 'add' : 'delete'](segment);
    assert.deepEqual([...replayed].sort(), members, `the events replayed up to ${at}`);

    const slug = random.one(slugs);
    const why = explain(facts, slug, moment);
    const expected = model.why(slug, at);
    assert.deepEqual(
      why && {
        ...why,
        since: inSeconds(why.since),
        until: inSeconds(why.until),
        rollout: undefined,
        ranges: why.rollout?.ranges ?? [],
      },
      expected && { ...expected, rollout: undefined },
      `why ${slug} at ${at}`,
    );
  }
}

const inSeconds = (moment: number | null) => (moment === null ? null : moment / second);
