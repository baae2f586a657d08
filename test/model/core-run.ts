import { bucketOf } from '../../src/rollout/bucket.ts';
import { firstBuckets, sizeOf } from '../../src/rollout/ranges.ts';
import { matesIn, reshare, scheduledOf, withRows } from '../../src/segments/shares.ts';
import { applied } from '../../src/timeline/applied.ts';
import { type Command, decide, type End } from '../../src/timeline/decide.ts';
import { indexDefinitions, livingAt, rolloutAt } from '../../src/timeline/definitions.ts';
import type { Definitions, Facts, Rollout, Segment } from '../../src/timeline/facts.ts';
import type { ModelAnswer, ModelCommand } from './reference-model.ts';

export const userId = 'user-1';
export const second = 1000;
export const bucketOfUser = (salt: string) => bucketOf(salt, userId);

/**
 * The facts that a history of commands leaves, made as the service makes them: each change decided some
 * seconds before it is applied, and decided anew only where the decision says that it is too old.
 */
export function runCore(commands: readonly ModelCommand[], decideEarlier: (limit: number) => number) {
  let facts: Facts = { userId, revision: null, definitions: indexDefinitions(0, 0, []), stays: [] };
  const answers = new Map<number, ModelAnswer>();
  let last = -1;
  for (const command of commands) {
    const from = last + 1 + decideEarlier(command.at - last);
    const { answer, after } = command.kind === 'patch' ? patch(facts, command, from) : define(facts, command, from);
    if (answer) answers.set(command.at, answer);
    facts = after;
    last = command.at;
  }
  return { facts, answers };
}

interface Outcome {
  answer?: ModelAnswer;
  after: Facts;
}

function patch(facts: Facts, asked: ModelCommand & { kind: 'patch' }, decidedAt: number): Outcome {
  const { at, add, remove, startsAt, end, replaceInGroup = false, by, cause } = asked;
  const toEnd = (): End => {
    if (!end) return { kind: 'never' };
    return 'ttl' in end ? { kind: 'ttl', milliseconds: end.ttl * second } : { kind: 'at', moment: end.expiresAt * second };
  };
  const start = startsAt === undefined ? null : startsAt * second;
  const command: Command = { add, remove, start, end: toEnd(), replaceInGroup, actor: by, cause };
  let decision = decide(facts, command, decidedAt * second);
  // What is refused is refused for the moment at which it was judged.
  if ('refused' in decision || at * second >= decision.goodUntil) decision = decide(facts, command, at * second);
  if ('refused' in decision) {
    if (decision.refused === 'segment_not_found')
      return { answer: { unknown: decision.slugs.map(({ slug }) => slug) }, after: facts };
    if (decision.refused === 'group_conflict') return { answer: { conflicts: [...decision.slugs] }, after: facts };
    throw new Error(`refused as ${decision.refused}`);
  }
  const { added, removed, unchanged, endings, beginnings } = decision;
  const changed = endings.length + beginnings.length > 0;
  return {
    answer: { added: [...added], removed: [...removed], unchanged: [...unchanged], changed },
    after: applied(facts, decision, at * second),
  };
}

function define(facts: Facts, command: Exclude<ModelCommand, { kind: 'patch' }>, decidedAt: number): Outcome {
  const { definitions } = facts;
  const at = command.at * second;
  const living = livingAt(definitions, command.slug, at);
  const segment = living ?? (command.kind === 'create' ? segmentOf(definitions, command) : undefined);
  if (!segment || (command.kind === 'create' && living)) return { after: facts };
  const changed = (changes: Partial<Segment>): Outcome => {
    const segments = [...definitions.segments.filter((other) => other !== living), { ...segment, ...changes }];
    return { after: { ...facts, definitions: indexDefinitions(definitions.version + 1, at * 1000, segments) } };
  };
  if (command.kind === 'delete') return changed({ deletedAt: at, deletedBy: command.by });

  const rollouts = resharedAt(segment, matesIn(definitions, segment.exclusiveGroup, segment), command, decidedAt);
  if (!rollouts) return { after: facts };
  if ('free' in rollouts) return { answer: { free: Math.round(rollouts.free * 100) }, after: facts };
  return changed({ rollouts });
}

function segmentOf({ segments }: Definitions, { slug, salt, group, by, at }: ModelCommand & { kind: 'create' }): Segment {
  const life = { createdAt: at * second, createdBy: by, deletedAt: Infinity, deletedBy: null };
  return { id: segments.length + 1, slug, salt: group ?? salt, exclusiveGroup: group ?? null, ...life, rollouts: [] };
}

/** The segment's rollouts after the change, none before its first; undefined where it changes nothing. */
function resharedAt(
  segment: Segment,
  mates: readonly Segment[],
  command: Exclude<ModelCommand, { kind: 'patch' | 'delete' }>,
  decidedAt: number,
): Rollout[] | { free: number } | undefined {
  const { by } = command;
  const [at, planned] = [command.at * second, 'effectiveAt' in command ? command.effectiveAt : undefined];
  const buckets = command.kind === 'cancel' ? null : command.buckets;
  const own = segment.rollouts;
  const known = planned === undefined ? rolloutAt(segment, at) : own.find(({ startsAt }) => startsAt === planned * second);
  if (command.kind === 'cancel' ? !known : known && sizeOf(known.ranges) === buckets) return undefined;
  // On a ring of its own, with nothing planned, it is the first buckets, as taking.test.ts shows; that saves most of the time.
  if (planned === undefined && segment.exclusiveGroup === null && scheduledOf(segment, at).length === 0)
    return withRows(own, at, [{ startsAt: at, ranges: firstBuckets(buckets!), changedBy: by }]);

  const judge = (now: number) =>
    reshare(segment, mates, { at: planned === undefined ? now : planned * second, buckets }, { now, by });
  let now = decidedAt * second;
  // For no moment at which a plan begins, as the service does.
  while ([segment, ...mates].some(({ rollouts }) => rollouts.some(({ startsAt }) => startsAt === now))) now++;
  let room = judge(now);
  if ('free' in room || at >= room.goodUntil) room = judge((now = at));
  if ('free' in room) return { free: room.free };
  const rows = room.rows.map((row) => (row.startsAt === now ? { ...row, startsAt: at } : row));
  return withRows(own, planned === undefined ? at : planned * second, rows);
}
