import { plainArray, textArray } from '../db/arrays.ts';
import type { Database } from '../db/database.ts';
import { wasRefused } from '../db/failures.ts';
import { gather } from '../db/gather.ts';
import { momentText } from '../db/moments.ts';
import type { Beginning, Decision, Ending } from '../timeline/decide.ts';
import type { Moment } from '../timeline/facts.ts';

/** A decision about one user and what it was made on. */
export interface DecidedChange {
  readonly userId: string;
  /** Of the user when the facts were read; null for a user never written. */
  readonly revision: number | null;
  /** Of the definitions. */
  readonly version: number;
  /** The moment it was made for: it is applied then or later, before `decision.goodUntil`. */
  readonly decidedAt: Moment;
  readonly decision: Pick<Decision, 'endings' | 'beginnings' | 'goodUntil'>;
}

/** `stale`: the user, the definitions or the time have moved on; nothing was written. */
export type Applied = { readonly outcome: 'applied'; readonly revision: number } | { readonly outcome: 'stale' };

export type MembershipsStore = ReturnType<typeof membershipsStore>;

/** Gathered calls at a time: two were measured to be no faster (docs/decisions/0009). */
const lanes = 1;
const maxUsers = 100;
/** Rows that a change begins and ends together. One with more goes alone: others would wait for it. */
const maxRows = 100;

export function membershipsStore({ pool }: Database) {
  const call = async (changes: readonly DecidedChange[], waits: boolean): Promise<Answer> => {
    const values = [...changeValues(changes), waits];
    return (await pool.query<Answer>({ name: 'memberships.apply', text: applyText, values })).rows[0]!;
  };

  const applyAlone = async (change: DecidedChange) => outcomeOf(change, await call([change], true));

  /**
   * It waits for no row that somebody else has locked, even with one change: the next ones wait for the lane. Where the
   * database refuses the call, nothing of it is written and the fault may be anybody's: each is to be sent alone. Where it
   * is not known what was written (a lost connection), or nobody can be served (a full disk), all fail.
   */
  const applyGathered = gather<DecidedChange, Applied | 'alone'>({
    lanes,
    maxItems: maxUsers,
    // One call is about one version of the definitions, and about a user once.
    fits: ({ version, userId }, batch) => version === batch[0]!.version && batch.every((other) => other.userId !== userId),
    run: async (changes) => {
      try {
        const answer = await call(changes, false);
        return changes.map((change) => (answer.busy.includes(change.userId) ? 'alone' : outcomeOf(change, answer)));
      } catch (error) {
        if (!wasRefused(error)) throw error;
        return changes.map(() => 'alone' as const);
      }
    },
  });

  return {
    /**
     * Changes that wait at the same time share one call and one commit, with one moment; each has its own outcome or error.
     * Takes the gate (shared) and the users' rows; a row is changed only if it is still as it was read, and a row that
     * somebody else has locked is waited for apart, up to the limit of the session. See `apply_changes` in the migrations.
     */
    async apply(change: DecidedChange): Promise<Applied> {
      const { endings, beginnings } = change.decision;
      const applied = endings.length + beginnings.length > maxRows ? 'alone' : await applyGathered(change);
      return applied === 'alone' ? applyAlone(change) : applied;
    },
  };
}

/** `stale` and `busy` name users, of whom nothing was written. */
interface Answer {
  outcome: 'applied' | 'stale' | 'stale_definitions';
  revision: number | null;
  stale: string[];
  busy: string[];
}

const outcomeOf = ({ userId }: DecidedChange, { outcome, revision, stale }: Answer): Applied =>
  outcome === 'applied' && !stale.includes(userId) ? { outcome: 'applied', revision: revision! } : { outcome: 'stale' };

/**
 * The arguments of `apply_changes`, but for `p_waits`, of changes that were all decided on one version of the definitions.
 * With `folds` a column that says the same for each row is one element of it (`spread` in the migrations), but never one of
 * users: those say how many rows there are.
 */
export function changeValues(changes: readonly DecidedChange[], { folds = false } = {}): unknown[] {
  const ends: Rows<Ending> = { users: [], rows: [] };
  const begins: Rows<Beginning> = { users: [], rows: [] };
  let decidedAt = 0;
  for (const { userId, decision, decidedAt: at } of changes) {
    decidedAt = Math.max(decidedAt, at); // a decision holds for a later moment too, before its goodUntil, which is compared for each
    for (const ending of decision.endings) {
      ends.users.push(userId);
      ends.rows.push(ending);
    }
    for (const beginning of decision.beginnings) {
      begins.users.push(userId);
      begins.rows.push(beginning);
    }
  }
  const column = <V>(values: readonly V[]) =>
    folds && values.every((value) => value === values[0]) ? values.slice(0, 1) : values;
  const texts = (values: readonly (string | null)[]) => textArray(column(values));
  const plain = (values: readonly (number | boolean | null)[]) => plainArray(column(values));
  const text = momentTexts();
  const moments = (values: readonly (Moment | null)[]) =>
    textArray(column(values).map((value) => (value === null ? null : text(value))));
  return [
    changes[0]?.version ?? 0,
    decidedAt * 1000,
    textArray(changes.map(({ userId }) => userId)),
    plain(changes.map(({ revision }) => revision)),
    moments(changes.map(({ decision }) => decision.goodUntil)),
    textArray(ends.users),
    plain(ends.rows.map(({ segmentId }) => segmentId)),
    moments(ends.rows.map(({ startsAt }) => startsAt)),
    moments(ends.rows.map(({ endsAt }) => endsAt)),
    texts(ends.rows.map(({ cause }) => cause)),
    texts(ends.rows.map(({ by }) => by)),
    textArray(begins.users),
    plain(begins.rows.map(({ segmentId }) => segmentId)),
    plain(begins.rows.map(({ excluded }) => excluded)),
    moments(begins.rows.map(({ startsAt }) => startsAt)),
    moments(begins.rows.map(({ end }) => (end.kind === 'at' ? end.moment : null))),
    texts(begins.rows.map(({ end }) => (end.kind === 'ttl' ? `${end.milliseconds} milliseconds` : null))),
    moments(begins.rows.map(({ since }) => since)),
    texts(begins.rows.map(({ cause }) => cause)),
    texts(begins.rows.map(({ by }) => by)),
  ];
}

interface Rows<Row> {
  /** Whose each row is. */
  readonly users: string[];
  readonly rows: Row[];
}

/** Makes the text of a moment once for as long as the same one is asked for: those of a batch hardly differ. */
function momentTexts() {
  let known: Moment = Infinity;
  let text = momentText(known);
  return (moment: Moment): string => {
    if (moment !== known) {
      known = moment;
      text = momentText(moment);
    }
    return text;
  };
}

/** After `changeValues`: whether rows that others have locked are waited for. */
export const applyText = `select outcome, revision, stale, busy
  from apply_changes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`;
