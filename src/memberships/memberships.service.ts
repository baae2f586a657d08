import type { DatabaseClock } from '../db/clock.ts';
import { refuseDropped } from '../history/kept.ts';
import { momentText } from '../http/moment.ts';
import { invalid, Problem } from '../http/problem.ts';
import type { FactsRead, FactsStore, HistoryRead } from '../reading/facts.store.ts';
import type { HoldingReader } from '../reading/reader.ts';
import type { SettledStore } from '../reading/settled.store.ts';
import { applied } from '../timeline/applied.ts';
import { type Command, decide, type Decision, type Refusal } from '../timeline/decide.ts';
import { type Explanation, explain } from '../timeline/explain.ts';
import type { Moment } from '../timeline/facts.ts';
import { momentOf } from '../timeline/revision.ts';
import { segmentsAt } from '../timeline/segments-at.ts';
import { type ToldStay, toldStays } from '../timeline/stays.ts';
import { inTurn } from './in-turn.ts';
import type { MembershipsStore } from './memberships.store.ts';

export interface SegmentsAnswer {
  readonly segments: readonly string[];
  readonly asOf: Moment;
  readonly revision: number;
}

export interface ChangeAnswer extends SegmentsAnswer, Pick<Decision, 'added' | 'removed' | 'unchanged'> {}

export type MembershipsService = ReturnType<typeof membershipsService>;

/** How long a change is decided anew because others were faster, before 503 `overloaded`. */
const patienceMs = 5_000;

export function membershipsService(parts: {
  facts: FactsStore;
  settled: SettledStore;
  memberships: MembershipsStore;
  clock: DatabaseClock;
  /** Told each time a decision has to be made anew. */
  onStale?: () => void;
  /** What holds copies of facts: it has each change before the change is acknowledged. */
  nearby?: HoldingReader | undefined;
  /** Called after each commit. */
  onCommit?: () => void;
}) {
  const { facts, settled, memberships, clock, onStale, nearby, onCommit } = parts;
  const turns = inTurn();

  /** One round: read, decide, apply. `undefined` when it was stale and is to be made again. */
  const tryChange = async (userId: string, command: Command): Promise<ChangeAnswer | undefined> => {
    const read = await facts.current(userId);
    const moment = nextMoment(read, clock);
    const decision = decide(read.facts, command, moment);
    if ('refused' in decision) throw problemOf(decision);
    const { added, removed, unchanged, endings, beginnings } = decision;

    if (endings.length + beginnings.length === 0) {
      const { revision, definitions } = read.facts;
      const restsOn = Math.max(revision ?? 0, definitions.revision);
      return { added, removed, unchanged, segments: segmentsAt(read.facts, moment), asOf: read.asOf, revision: restsOn };
    }
    const { revision, definitions } = read.facts;
    const sentAt = clock.mark();
    const result = await memberships.apply({ userId, revision, version: definitions.version, decidedAt: moment, decision });
    if (result.outcome === 'stale') return undefined;
    clock.observe(result.revision, sentAt); // so that every reader judges by a moment at which the change counts
    onCommit?.();
    const asOf = momentOf(result.revision);
    const after = { ...applied(read.facts, decision, asOf), revision: result.revision };
    await nearby?.put(after);
    return { added, removed, unchanged, segments: segmentsAt(after, asOf), asOf, revision: result.revision };
  };

  /** The facts about a moment, past or present, final if past; and the moment to judge by. */
  const readAt = async (userId: string, at: Moment | undefined, endedFrom: Moment): Promise<HistoryRead & { moment: Moment }> => {
    if (at !== undefined) await settled.wait(at, 'at');
    const read = await facts.since(userId, endedFrom);
    return at === undefined ? { ...read, moment: clock.now() } : { ...read, moment: at, asOf: at };
  };

  return {
    /**
     * Everything or nothing, at one moment, `asOf`. 404 `segment_not_found` for slugs without a living segment, 400 for an
     * end that is not in the future. Changes of one user in this process wait for each other.
     */
    change(userId: string, command: Command): Promise<ChangeAnswer> {
      const giveUpAt = performance.now() + patienceMs; // the wait for one's turn counts
      return turns(userId, async () => {
        while (performance.now() <= giveUpAt) {
          const answer = await tryChange(userId, command);
          if (answer) return answer;
          onStale?.();
        }
        throw new Problem('overloaded', `Others changed the same user for ${patienceMs} ms. Nothing was changed.`);
      });
    },

    /**
     * The segments that the user was in at a past moment: the same answer whenever it is asked, until it is no longer kept:
     * 410 `history_dropped`.
     */
    async segmentsAt(userId: string, at: Moment): Promise<SegmentsAnswer> {
      const { facts: known, revision, keptFrom } = await readAt(userId, at, at);
      refuseDropped(at, 'at', keptFrom);
      return { segments: segmentsAt(known, at), asOf: at, revision };
    },

    /** Why the user is in the segment or not, now or at a past moment. 404 for a slug that had not lived by then, 410 for what is not kept. */
    async why(userId: string, slug: string, at?: Moment): Promise<Explanation & { asOf: Moment }> {
      const { facts: known, moment, asOf, keptFrom } = await readAt(userId, at, -Infinity);
      const explanation = explain(known, slug, moment, keptFrom);
      if (!explanation) throw new Problem('segment_not_found', `There was no segment ${slug} by ${momentText(moment)}.`);
      refuseDropped(moment, 'at', keptFrom);
      return { ...explanation, asOf };
    },

    /** What was said of the user by hand: what stands and is planned, or what has ended and is kept. */
    async told(userId: string, ended: boolean): Promise<{ stays: ToldStay[]; asOf: Moment; revision: number }> {
      if (!ended) {
        const { facts: known, asOf, revision } = await facts.current(userId);
        return { stays: toldStays(known, clock.now(), false), asOf, revision };
      }
      const { facts: known, asOf, revision, keptFrom } = await facts.since(userId, -Infinity);
      // What lies among the current ones still may have ended before.
      return { stays: toldStays(known, clock.now(), true).filter(({ endsAt }) => endsAt >= keptFrom), asOf, revision };
    },
  };
}

/** A change comes strictly after the user's last one and the last one of definitions, so it is decided for then at the earliest. */
function nextMoment({ facts: { revision, definitions } }: FactsRead, clock: DatabaseClock): Moment {
  return Math.max(clock.now(), momentOf(Math.max(revision ?? 0, definitions.revision)) + 1);
}

function problemOf(refusal: Refusal): Problem {
  if (refusal.refused === 'segment_not_found') {
    const faults = refusal.slugs.map(({ path, slug }) => ({ path, message: `There is no segment ${slug}.` }));
    const rest = faults.length > 1 ? ` And ${faults.length - 1} more, see errors.` : '';
    return new Problem('segment_not_found', `${faults[0]!.message}${rest}`, { faults });
  }
  if (refusal.refused === 'group_conflict') {
    const { slugs: conflicts } = refusal;
    const detail = `In the way, in the same exclusive group: ${conflicts.join(', ')}. Remove it, or ask with replace_in_group.`;
    return new Problem('group_conflict', detail, { details: { conflicts } });
  }
  if (refusal.refused === 'start_not_future')
    return invalid('starts_at', `must lie in the future; got ${momentText(refusal.start)}.`);
  if (refusal.refused === 'end_not_after_start') {
    const { start, end } = refusal;
    return invalid('expires_at', `must lie after starts_at, ${momentText(start)}; got ${momentText(end)}.`);
  }
  if (refusal.refused === 'end_not_future')
    return invalid('expires_at', `must lie in the future; got ${momentText(refusal.end)}.`);
  const [most, wanted] = [Math.floor(refusal.latestMilliseconds / 1000), refusal.milliseconds / 1000];
  return invalid('ttl_seconds', `must end within the year 9999, so be at most ${most}; got ${wanted}.`);
}
