import { pairsOf, standingAt } from '../../src/timeline/pair.ts';
import { eventsOf } from '../../src/timeline/events.ts';
import type { Facts } from '../../src/timeline/facts.ts';
import { momentOf } from '../../src/timeline/revision.ts';
import { segmentsAt } from '../../src/timeline/segments-at.ts';
import type { Call, TestApp } from '../support/app.ts';

/** A PATCH that was answered with 200. */
export interface Acknowledged {
  userId: string;
  named: string[];
  answer: { added: string[]; removed: string[]; unchanged: string[]; segments: string[] | null; as_of: string; revision: string };
}

/** What is wrong with the facts of one user, by invariants 1 to 3: nothing, if all is well. */
export function violationsOf(facts: Facts): string[] {
  const found: string[] = [];
  for (const pair of pairsOf(facts)) {
    const { slug, createdAt, deletedAt } = pair.segment;
    const where = `${facts.userId} in ${slug}`;
    for (const [i, stay] of pair.stays.entries()) {
      const next = pair.stays[i + 1];
      if (stay.startsAt >= stay.endsAt) found.push(`${where}: a stay ends before it starts`);
      if (next && next.startsAt < stay.endsAt) found.push(`${where}: two stays overlap`);
      if (stay.startsAt < createdAt || stay.startsAt >= deletedAt)
        found.push(`${where}: a stay begins outside the life of its segment`);
    }
    let isIn = false;
    let last = -Infinity;
    for (const event of eventsOf(pair)) {
      if ((event.operation === 'add') === isIn || event.at <= last) found.push(`${where}: the events do not alternate`);
      isIn = event.operation === 'add';
      last = event.at;
      if (standingAt(pair, event.at).member !== isIn) found.push(`${where}: an event is not what a reader sees`);
      if (segmentsAt(facts, event.at).includes(slug) !== isIn) found.push(`${where}: an event is not what segmentsAt sees`);
    }
  }
  return found;
}

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
    if (wrong.every((one) => one !== undefined) && answers.some(isOwn)) found.push(`${where}: ${wrong[0]}`);
  }
  return found;
}

/** Whether the moment of the answer is that of its revision: else it changed nothing. */
const isOwn = ({ answer }: Acknowledged) => momentOf(Number(answer.revision)) === Date.parse(answer.as_of);

async function wrongOf(call: Call, { userId, named, answer }: Acknowledged): Promise<string | undefined> {
  const at = momentOf(Number(answer.revision));
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
