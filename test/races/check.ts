import { findingLine } from '../../src/checking/finding.ts';
import { violationsOf as findingsOf } from '../../src/checking/stays.ts';
import type { Facts } from '../../src/timeline/facts.ts';
import { momentOf } from '../../src/timeline/revision.ts';
import type { Call, TestApp } from '../support/app.ts';

/** A PATCH that was answered with 200. */
export interface Acknowledged {
  userId: string;
  named: string[];
  answer: { added: string[]; removed: string[]; unchanged: string[]; segments: string[] | null; as_of: string; revision: string };
  /** When the answer was there. */
  answeredAt: number;
}

/** What is wrong with the facts of one user, as `segmentd check` tells it: nothing, if all is well. */
export const violationsOf = (facts: Facts): string[] => findingsOf(facts).map(findingLine);

/**
 * What is wrong with acknowledged changes, asked of the service afterwards: each that changed something is what `at=` its
 * moment says, its lists are the difference to the instant before, and no two of a user have one moment.
 */
export async function brokenAcknowledgements(
  { call, database }: TestApp,
  acknowledged: readonly Acknowledged[],
): Promise<string[]> {
  const found: string[] = [];
  const { rows } = await database.pool.query<{ at: number; user_ids: string[] }>(`select at, user_ids from changes`);
  const written = new Set(rows.flatMap(({ at, user_ids }) => user_ids.map((userId) => `${userId} at ${at}`)));
  const redefined = new Set(rows.filter(({ user_ids }) => user_ids.length === 0).map(({ at }) => at));
  const changes = Map.groupBy(acknowledged, ({ userId, answer }) => `${userId} at ${momentOf(Number(answer.revision))}`);
  for (const [where, answers] of changes) {
    if (new Set(answers.map(({ answer }) => answer.revision)).size > 1) found.push(`${where}: two changes at one moment`);
    if (!written.has(where)) {
      // Who changed nothing may rest on a change of segments; else it was told of a change that is not there.
      if (!redefined.has(momentOf(Number(answers[0]!.answer.revision)))) found.push(`${where}: a change was lost`);
      continue;
    }
    // Who changed nothing answers the revision that it rests on, so of several with one revision one made the change.
    const wrong = await Promise.all(answers.map((one) => wrongOf(call, one)));
    if (wrong.some((one) => one === undefined)) continue;
    for (const one of answers.filter(isOwn))
      if (!(await isRightLater(call, one))) found.push(`${where}: ${await wrongOf(call, one)}`);
  }
  return found;
}

/**
 * Whether it likely made the change of its revision: somebody moved, at the moment of the revision. Who changed nothing may
 * have looked in the very millisecond of the change that it rests on, which may be an import's or housekeeping's.
 */
const isOwn = ({ answer }: Acknowledged) =>
  answer.added.length + answer.removed.length > 0 && momentOf(Number(answer.revision)) === Date.parse(answer.as_of);

/**
 * Whether it is right as an answer that changed nothing: it is decided for a moment after what it rests on, and an end or a
 * start may come just then.
 */
async function isRightLater(call: Call, one: Acknowledged): Promise<boolean> {
  const at = momentOf(Number(one.answer.revision));
  for (let later = at + 1; later <= Math.max(at + 1, one.answeredAt); later++)
    if ((await wrongOf(call, one, later)) === undefined) return true;
  return false;
}

async function wrongOf(
  call: Call,
  { userId, named, answer }: Acknowledged,
  at = momentOf(Number(answer.revision)),
): Promise<string | undefined> {
  const [before, after] = await Promise.all([at - 1, at].map((moment) => segmentsOf(call, userId, moment)));
  const said = JSON.stringify(answer.segments ?? []);
  if (said !== JSON.stringify(after)) return `answered ${said}, now ${JSON.stringify(after)}`;
  for (const slug of named) {
    const list = before!.includes(slug) === after!.includes(slug) ? 'unchanged' : after!.includes(slug) ? 'added' : 'removed';
    if (!answer[list].includes(slug)) return `${slug} was ${list} and is not told so`;
  }
  return undefined;
}

export async function segmentsOf(call: Call, userId: string, moment: number): Promise<string[]> {
  const { status, body, text } = await call('GET', `/v1/users/${userId}/segments?at=${new Date(moment).toISOString()}`);
  if (status !== 200) throw new Error(`GET at ${moment}: ${status} ${text}`);
  return (body as { segments: string[] | null }).segments ?? [];
}
