import type { History, SegmentsOfUser, Stay, Stays, Why } from '../api/answers.ts';
import { allOf, type Client, userPath } from '../api/client.ts';
import { Failure } from '../api/failure.ts';
import type { Told } from './timeline.ts';

/** All that is kept of a user. */
export async function readUser(client: Client, userId: string, signal: AbortSignal): Promise<Told> {
  const path = userPath(userId);
  const [standing, ended, history, present] = await Promise.all([
    allOf<Stays>(client, `${path}/memberships`, { limit: 1000 }, signal),
    allOf<Stays>(client, `${path}/memberships`, { limit: 1000, ended: true }, signal),
    readHistory(client, path, signal),
    client.get<SegmentsOfUser>(`${path}/segments`, { last_revision: true }, signal),
  ]);
  const said = standing.flatMap(({ memberships }) => memberships);
  return {
    events: history.flatMap(({ events }) => events),
    keptFrom: Date.parse(history[0]!.from),
    standing: said,
    ended: ended.flatMap(({ memberships }) => memberships),
    foreseen: await Promise.all(
      firstToEnd(said).map((slug) => client.get<Why>(`${path}/segments/${encodeURIComponent(slug)}`, {}, signal)),
    ),
    now: Date.parse(present.as_of),
    segments: present.segments ?? [],
  };
}

/** Of so many ends it is asked whether they take the user out; later ones are shown as they were set. */
const mostEnds = 50;

/** The segments in which something ends that was said by hand, the soonest first. */
function firstToEnd(standing: readonly Stay[]): string[] {
  const ending = standing.filter(({ effect, ends_at: end }) => effect === 'include' && end !== null);
  ending.sort((a, b) => (a.ends_at! < b.ends_at! ? -1 : 1)); // all are in UTC with milliseconds
  return [...new Set(ending.map(({ segment }) => segment))].slice(0, mostEnds);
}

const everything = { from: '1970-01-01T00:00:00Z', to: '9999-12-31T00:00:00Z', limit: 10_000 };

/** From the beginning, or from where history is kept, which a refusal tells. */
async function readHistory(client: Client, path: string, signal: AbortSignal): Promise<History[]> {
  try {
    return await allOf<History>(client, `${path}/history`, everything, signal);
  } catch (error) {
    const [, keptFrom] = /lies before (\S+Z)/.exec((error as Failure).problem?.errors?.[0]?.message ?? '') ?? [];
    if (!(error instanceof Failure) || error.problem.code !== 'history_dropped' || !keptFrom) throw error;
    return allOf<History>(client, `${path}/history`, { ...everything, from: keptFrom }, signal);
  }
}
