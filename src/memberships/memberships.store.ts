import type { Database } from '../db/database.ts';
import { momentText } from '../db/moments.ts';
import type { Decision, End } from '../timeline/decide.ts';
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
  readonly decision: Decision;
}

/** `stale`: the user, the definitions or the time have moved on; nothing was written. */
export type Applied = { readonly outcome: 'applied'; readonly revision: number } | { readonly outcome: 'stale' };

export type MembershipsStore = ReturnType<typeof membershipsStore>;

export function membershipsStore({ pool }: Database) {
  return {
    /**
     * One call, one commit. Takes the gate (shared) and the user's row; the row is changed only if it is still as it was
     * read. See `apply_changes` in the migrations.
     */
    async apply({ userId, revision, version, decidedAt, decision }: DecidedChange): Promise<Applied> {
      const { endings, beginnings, goodUntil } = decision;
      const { rows } = await pool.query<{ outcome: string; revision: number | null }>({
        name: 'memberships.apply',
        text: applyText,
        values: [
          version,
          decidedAt * 1000,
          [userId],
          [revision],
          [momentText(goodUntil)],
          endings.map(() => userId),
          endings.map((ending) => ending.segmentId),
          endings.map((ending) => momentText(ending.startsAt)),
          endings.map((ending) => ending.endsAt && momentText(ending.endsAt)),
          endings.map((ending) => ending.cause),
          endings.map((ending) => ending.by),
          beginnings.map(() => userId),
          beginnings.map((beginning) => beginning.segmentId),
          beginnings.map((beginning) => beginning.excluded),
          beginnings.map(() => null),
          beginnings.map(({ end }) => endText(end)),
          beginnings.map(({ end }) => ttlText(end)),
          beginnings.map(({ since }) => since && momentText(since)),
          beginnings.map((beginning) => beginning.cause),
          beginnings.map((beginning) => beginning.by),
        ],
      });
      const answer = rows[0]!;
      return answer.outcome === 'applied' ? { outcome: 'applied', revision: answer.revision! } : { outcome: 'stale' };
    },
  };
}

const endText = (end: End) => (end.kind === 'at' ? momentText(end.moment) : null);
const ttlText = (end: End) => (end.kind === 'ttl' ? `${end.milliseconds} milliseconds` : null);

const applyText = `select outcome, revision from apply_changes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`;
