import { bucketOf } from '../../src/rollout/bucket.ts';
import { firstBuckets, sizeOf } from '../../src/rollout/ranges.ts';
import { applied } from '../../src/timeline/applied.ts';
import { type Command, decide, type End } from '../../src/timeline/decide.ts';
import { indexDefinitions, livingAt, rolloutAt } from '../../src/timeline/definitions.ts';
import type { Facts, Segment } from '../../src/timeline/facts.ts';
import type { ModelCommand } from './reference-model.ts';

export const userId = 'user-1';
export const second = 1000;
export const bucketOfUser = (salt: string) => bucketOf(salt, userId);

export type CoreAnswer = { added: string[]; removed: string[]; unchanged: string[]; changed: boolean } | { unknown: string[] };

/**
 * The facts that a history of commands leaves, made as the service makes them: definitions changed in place, and each
 * PATCH decided some seconds before it is applied and decided anew only where the decision says that it is too old.
 */
export function runCore(commands: readonly ModelCommand[], decideEarlier: (limit: number) => number) {
  let facts: Facts = { userId, revision: null, definitions: indexDefinitions(0, 0, []), stays: [] };
  const answers = new Map<number, CoreAnswer>();
  let last = -1;
  for (const command of commands) {
    if (command.kind !== 'patch') facts = { ...facts, definitions: redefined(facts, command) };
    else {
      const from = last + 1 + decideEarlier(command.at - last);
      const { answer, after } = patch(facts, command, from);
      answers.set(command.at, answer);
      facts = after;
    }
    last = command.at;
  }
  return { facts, answers };
}

function patch(
  facts: Facts,
  { at, add, remove, end, by, cause }: ModelCommand & { kind: 'patch' },
  decidedAt: number,
): { answer: CoreAnswer; after: Facts } {
  const toEnd = (): End => {
    if (!end) return { kind: 'never' };
    return 'ttl' in end ? { kind: 'ttl', milliseconds: end.ttl * second } : { kind: 'at', moment: end.expiresAt * second };
  };
  const command: Command = { add, remove, start: null, end: toEnd(), replaceInGroup: false, actor: by, cause };
  let decision = decide(facts, command, decidedAt * second);
  if (!('refused' in decision) && at * second >= decision.goodUntil) decision = decide(facts, command, at * second);
  if ('refused' in decision) {
    if (decision.refused !== 'segment_not_found') throw new Error(`refused as ${decision.refused}`);
    return { answer: { unknown: decision.slugs.map(({ slug }) => slug) }, after: facts };
  }
  const { added, removed, unchanged, endings, beginnings } = decision;
  const changed = endings.length + beginnings.length > 0;
  return {
    answer: { added: [...added], removed: [...removed], unchanged: [...unchanged], changed },
    after: applied(facts, decision, at * second),
  };
}

function redefined({ definitions }: Facts, command: Exclude<ModelCommand, { kind: 'patch' }>) {
  const at = command.at * second;
  const living = livingAt(definitions, command.slug, at);
  const segments = [...definitions.segments];
  const replace = (segment: Segment) => segments.splice(segments.indexOf(living!), 1, segment);
  if (command.kind === 'create' && !living) {
    segments.push({
      id: segments.length + 1,
      slug: command.slug,
      salt: command.salt,
      exclusiveGroup: null,
      createdAt: at,
      createdBy: command.by,
      deletedAt: Infinity,
      deletedBy: null,
      rollouts: [{ startsAt: at, endsAt: Infinity, ranges: firstBuckets(command.buckets), changedBy: command.by }],
    });
  } else if (command.kind === 'delete' && living) replace({ ...living, deletedAt: at, deletedBy: command.by });
  else if (command.kind === 'percent' && living && sizeOf(rolloutAt(living, at)!.ranges) !== command.buckets) {
    const past = living.rollouts.map((rollout) => (rollout.endsAt === Infinity ? { ...rollout, endsAt: at } : rollout));
    replace({
      ...living,
      rollouts: [...past, { startsAt: at, endsAt: Infinity, ranges: firstBuckets(command.buckets), changedBy: command.by }],
    });
  }
  return indexDefinitions(definitions.version + 1, at * 1000, segments);
}
