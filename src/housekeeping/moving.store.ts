import type { DatabaseClient } from '../db/database.ts';
import { momentText } from '../db/moments.ts';
import { applyText, changeValues } from '../memberships/memberships.store.ts';
import { stayColumns, type StayRow, toStay } from '../reading/facts.store.ts';
import type { Ending } from '../timeline/decide.ts';
import type { Moment, Stay } from '../timeline/facts.ts';

/** Users whose rows one change moves at most: some ten milliseconds. */
const usersAtOnce = 500;

/** Keys of rows that the search for stays that were cut reads at once. */
const keysAtOnce = 5_000;

/** Current and planned stays of users, with all that a change of them is compared with. */
export interface UsersRead {
  readonly version: number;
  readonly definitionsRevision: number;
  readonly users: readonly { readonly userId: string; readonly revision: number; readonly stays: readonly Stay[] }[];
}

/** The endings of one user, and the revision on which they were judged. */
export interface Moving {
  readonly userId: string;
  readonly revision: number;
  readonly endings: readonly Ending[];
}

/** Users with a stay that had an end and reached it by the moment, oldest ends first: by the index `memberships_by_end`. */
export async function* usersEnded(client: DatabaseClient, moment: Moment): AsyncGenerator<readonly string[]> {
  for (let [endsAt, userId] = [-Infinity, '']; ;) {
    const { rows } = await client.query<{ ends_at: Moment; user_id: string }>({
      name: 'housekeeping.ended',
      text: endedText,
      values: [momentText(moment), momentText(endsAt), userId],
    });
    yield [...new Set(rows.map((row) => row.user_id))];
    if (rows.length < usersAtOnce) return;
    ({ ends_at: endsAt, user_id: userId } = rows.at(-1)!);
  }
}

/** Behind the last row, and not again from the left: there lie the remains of what was moved, until they are vacuumed. */
const endedText = `select ends_at, user_id from memberships
  where ends_at < 'infinity' and ends_at <= $1 and (ends_at, user_id) > ($2, $3) order by ends_at, user_id limit ${usersAtOnce}`;

/** Users with a stay in these segments, one segment after the other: by the index `memberships_by_segment`. */
export async function* usersIn(client: DatabaseClient, segmentIds: readonly number[]): AsyncGenerator<readonly string[]> {
  const { rows: peopled } = await client.query<{ id: number }>({
    name: 'housekeeping.peopled',
    text: `select s.id from unnest($1::integer[]) s (id) where exists (select from memberships m where m.segment_id = s.id)`,
    values: [segmentIds],
  });
  for (const { id } of peopled) {
    for (let after = ''; ;) {
      const { rows } = await client.query<{ user_id: string }>({
        name: 'housekeeping.members',
        text: membersText,
        values: [id, after],
      });
      yield [...new Set(rows.map((row) => row.user_id))];
      if (rows.length < usersAtOnce) break;
      after = rows.at(-1)!.user_id;
    }
  }
}

const membersText = `select user_id from memberships where segment_id = $1 and user_id > $2
  order by segment_id, user_id limit ${usersAtOnce}`;

/**
 * Users with a stay that the next one of its pair had cut by the moment. An open one has no end to find it by, and an index
 * on starts would cost every write, so this reads the key of every row. `keys`: how many at once.
 */
export async function* usersCut(client: DatabaseClient, moment: Moment, keys = keysAtOnce): AsyncGenerator<readonly string[]> {
  for (let last: CutRow = { cut: [], keys: 0, user_id: '', segment_id: 0, starts_at: -Infinity }; ;) {
    const { rows } = await client.query<CutRow>({
      name: 'housekeeping.cut',
      text: cutText,
      values: [momentText(moment), last.user_id, last.segment_id, momentText(last.starts_at), keys],
    });
    if (rows.length === 0) return;
    last = rows[0]!;
    for (let i = 0; i <= last.cut.length; i += usersAtOnce) yield last.cut.slice(i, i + usersAtOnce);
    if (last.keys <= keys) return;
  }
}

interface CutRow {
  cut: string[];
  keys: number;
  /** The last key of the page. */
  user_id: string;
  segment_id: number;
  starts_at: Moment;
}

/** A page begins with the last row of the one before, so a pair that is divided by the two is seen whole. */
const cutText = `with page as (
    select m.*, lag(user_id) over w as user_before, lag(segment_id) over w as segment_before
      from (select user_id, segment_id, starts_at from memberships where (user_id, segment_id, starts_at) >= ($2, $3, $4)
             order by user_id, segment_id, starts_at limit $5::integer + 1) m
    window w as (order by user_id, segment_id, starts_at))
  select array(select distinct user_id from page
           where user_before = user_id and segment_before = segment_id and starts_at <= $1) as cut,
         (select count(*) from page) as keys, user_id, segment_id, starts_at
    from page order by user_id desc, segment_id desc, starts_at desc limit 1`;

/** In one snapshot. By the primary keys. */
export async function readUsers(client: DatabaseClient, userIds: readonly string[]): Promise<UsersRead> {
  const { rows } = await client.query<UserRow>({ name: 'housekeeping.users', text: usersText, values: [userIds] });
  const { version, definitions_revision: definitionsRevision } = rows[0]!;
  const found = rows.filter((row): row is UserRow & FoundRow => row.user_id !== null);
  const users = [...Map.groupBy(found, (row) => row.user_id)].map(([userId, own]) => {
    return { userId, revision: own[0]!.revision, stays: own.map(toStay) };
  });
  return { version, definitionsRevision, users };
}

const usersText = `select d.version, d.revision as definitions_revision, u.user_id, u.revision, ${stayColumns}
  from definitions d left join (users u join memberships m on m.user_id = u.user_id) on u.user_id = any($1::text[])`;

interface UserRow extends Omit<StayRow, 'segment_id'> {
  version: number;
  definitions_revision: number;
  user_id: string | null;
  revision: number | null;
  segment_id: number | null;
}

interface FoundRow extends StayRow {
  user_id: string;
  revision: number;
}

/**
 * Moves rows to `past_memberships` with the ends given, as a change of these users like any other: it takes the gate
 * (shared), passes over users whose row somebody has locked, and moves only what belongs to users who are still at that
 * revision. Each gets a new revision, so whoever has decided on rows that are not there any more decides anew.
 * What is over stays so, so only the version and the revisions are compared, and no time.
 */
export async function move(client: DatabaseClient, version: number, judgedAt: Moment, all: readonly Moving[]): Promise<void> {
  const changes = all.map(({ userId, revision, endings }) => {
    return { userId, revision, version, decidedAt: judgedAt, decision: { endings, beginnings: [], goodUntil: Infinity } };
  });
  await client.query({ name: 'housekeeping.move', text: applyText, values: [...changeValues(changes), false] });
}
