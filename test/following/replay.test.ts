import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openDatabase } from '../../src/db/database.ts';
import { byTime, type Event } from '../../src/timeline/events.ts';
import { randomSource } from '../model/random-history.ts';
import { type EventSource, readEvents, type ReadEvent } from '../support/event-source.ts';
import { adminKey, type Service, startService, until } from '../support/service.ts';
import { openAddress } from './cluster.ts';

const seed = Number(process.env.RACE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const rounds = Number(process.env.RACE_TIMES ?? 10);

const address = await openAddress();
const cluster = await address.make('followed');
const { host, user, database: name } = address.connection;
const env = { DATABASE_URL: `postgres://${user}@/${name}?host=${encodeURIComponent(host)}&port=5432`, CACHE: 'off' };
const database = openDatabase({ connection: address.connection, poolSize: 2 });
database.pool.on('error', () => {});
after(() => database.close());

const users = Array.from({ length: 25 }, (_, i) => `u${i}`);
const slugs = ['A', 'B', 'R', 'G1', 'G2', 'G3'];
const groupOf = (slug: string) => (slug.startsWith('G') ? { exclusive_group: 'G' } : {});

test(`whoever is cut and comes back, by whichever process, hears all that the histories tell, once and in order (RACE_SEED=${seed})`, async () => {
  const random = randomSource(seed);
  const services = [await startService(env), await startService(env)];
  const living = () => services.filter(({ process }) => process.exitCode === null && process.signalCode === null);
  for (const slug of slugs)
    await services[0]!.send('POST', '/v1/segments', { slug, percent: slug === 'A' ? 0 : 20, ...groupOf(slug) });
  const readers = ['', 'segment=A', 'user_id=u1', 'segment=G1&user_id=u2', ''].map((filter, i) => ({
    filter,
    reader: persistentReader(filter, () => living()[(i + random.below(2)) % living().length]),
  }));
  for (const { reader } of readers) await until(() => reader.lastId() !== '', 'a first place');
  const from = readers.map(({ reader }) => Number(reader.lastId().split(':')[0]));

  let restarted = 0;
  for (let round = 0; round < rounds; round++) {
    const writers = Array.from({ length: 6 }, async () => {
      const giveUpAt = performance.now() + 5_000;
      for (let done = 0; done < 12 && performance.now() < giveUpAt;) {
        const service = living()[random.below(living().length)];
        // What breaks may have been done or not.
        const isDone =
          service &&
          (await somethingRandom(service, random).then(
            () => true,
            () => false,
          ));
        if (isDone) done++;
        else await new Promise(setImmediate);
      }
    });
    for (const { reader } of readers) if (random.chance(0.8)) reader.kill();
    const hurt = round % 5;
    if (hurt === 1) services[random.below(2)]!.process.kill('SIGKILL');
    if (hurt === 2) {
      await cluster.stop(random.chance(0.5) ? 'fast' : 'immediate');
      await cluster.start();
    }
    if (hurt === 3) services[random.below(2)]!.process.kill('SIGTERM');
    await Promise.all(writers);
    if (hurt === 4) {
      // With no process up what has an end within a second ends.
      for (const { process } of services) process.kill('SIGKILL');
      await Promise.all(services.map(({ exited }) => exited));
      const { rows } = await database.pool.query<{ now: number }>(`select date_trunc('milliseconds', clock_timestamp()) as now`);
      await until(async () => {
        const later = await database.pool.query<{ now: number }>(`select date_trunc('milliseconds', clock_timestamp()) as now`);
        return later.rows[0]!.now > rows[0]!.now + 1_500;
      }, 'time to pass');
    }
    for (const [i, { process }] of services.entries()) {
      if (process.exitCode === null && process.signalCode === null && !(hurt === 3 && process.killed)) continue;
      await services[i]!.exited;
      services[i] = await startService(env);
      restarted++;
    }
  }
  assert.ok(restarted >= rounds / 2);

  const [service] = living();
  assert.equal((await service!.send('POST', '/v1/segments', { slug: 'MARK' })).status, 201);
  const planned = await database.pool.query<{ last: number }>(
    `select max(at) as last from (select max(ends_at) as at from memberships where ends_at < 'infinity' union all select max(starts_at) from memberships) m`,
  );
  let end = '';
  await until(async () => {
    const answer = await service!.send('PATCH', '/v1/users/u2/segments', { add: ['MARK'] });
    await service!.send('PATCH', '/v1/users/u2/segments', { remove: ['MARK'] });
    end = (answer.body as { as_of: string }).as_of;
    return answer.status === 200 && Date.parse(end) > planned.rows[0]!.last;
  }, 'all that was planned to have happened');
  const to = new Date(Date.parse(end) + 1).toISOString();
  const known = await database.pool.query<{ user_id: string }>(`select user_id from users`);
  const isSaid = (at: string) => Date.parse(at) <= Date.parse(end);
  for (const [i, { filter, reader }] of readers.entries()) {
    const expected = await expectedOf(
      service!,
      known.rows.map((row) => row.user_id),
      new URLSearchParams(filter),
      from[i]!,
      to,
    );
    const said = () => reader.events.filter(({ data }) => isSaid(data.at as string));
    await until(() => said().length >= expected.length, `${expected.length} events of ${filter}, of ${said().length}`).catch(
      () => {},
    );
    const lines = said().map(({ type, data }) =>
      type === 'segment' ? segmentLine(data) : userLine(data.user_id as string, data),
    );
    for (let n = 0; n < Math.max(lines.length, expected.length); n++)
      assert.equal(lines[n], expected[n], `${filter}: event ${n} of ${expected.length}`);
    assert.equal(new Set(reader.events.map(({ id }) => id)).size, reader.events.length, 'no place twice');
    assert.ok(
      reader.connections() > 2 && (filter !== '' || expected.length > 15 * rounds),
      `${expected.length} events, ${reader.connections()} connections`,
    );
  }
});

/** What anybody may do, at random. */
async function somethingRandom(service: Service, random: ReturnType<typeof randomSource>): Promise<void> {
  const slug = random.one(slugs);
  const what = random.below(22);
  const soon = () => new Date(Date.now() + 100 + random.below(1_500)).toISOString();
  if (what === 0) await service.send('DELETE', `/v1/segments/${slug}`);
  if (what <= 1) await service.send('POST', '/v1/segments', { slug, percent: random.below(30), ...groupOf(slug) });
  else if (what === 2) await service.send('PATCH', `/v1/segments/${slug}`, { percent: random.below(30) });
  else if (what === 3) await service.send('PATCH', `/v1/segments/${slug}`, { percent: random.below(30), effective_at: soon() });
  else if (what === 4) {
    await fetch(
      `${service.url}/v1/segments/${slug}/imports?operation=${random.one(['add&ttl_seconds=1', 'remove', 'replace'])}`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'text/plain' },
        body: users.filter(() => random.chance(0.4)).join('\n'),
      },
    );
  } else {
    const add = random.chance(0.7) ? [slug] : [];
    const remove = slugs.filter((other) => other !== slug && random.chance(add.length > 0 ? 0.2 : 0.5));
    const plan = random.chance(0.2) ? { starts_at: soon() } : random.chance(0.4) ? { replace_in_group: true } : {};
    const end = random.chance(0.5) ? { ttl_seconds: 1 + random.below(2) } : {};
    await service.send('PATCH', `/v1/users/${random.one(users)}/segments`, {
      add,
      remove,
      ...(add.length > 0 ? { ...plan, ...end } : {}),
    });
  }
}

type Data = Record<string, unknown>;
const userLine = (userId: string, { at, segment, operation, cause, actor }: Data) =>
  [at, userId, operation, segment, cause, actor].join(' ');
const segmentLine = ({ at, slug, change, percent, ranges, actor }: Data) =>
  [at, slug, change, percent, JSON.stringify(ranges), actor].join(' ');

/** From the history of every user, and the rows of segments, in the order of the contract. */
async function expectedOf(
  service: Service,
  known: readonly string[],
  filter: URLSearchParams,
  from: number,
  to: string,
): Promise<string[]> {
  const [slug, userId] = [filter.get('segment'), filter.get('user_id')];
  const lines: { at: number; userId: string; n: number; line: string }[] = [];
  for (const one of known) {
    if (userId !== null && one !== userId) continue;
    const { status, body } = await service.send(
      'GET',
      `/v1/users/${encodeURIComponent(one)}/history?from=${new Date(from + 1).toISOString()}&to=${to}&limit=10000`,
    );
    assert.equal(status, 200);
    const events = (body as { events: (Omit<Event, 'at'> & { at: string })[] }).events;
    assert.deepEqual(
      events,
      events.toSorted((a, b) => byTime({ ...a, at: Date.parse(a.at) }, { ...b, at: Date.parse(b.at) })),
    );
    for (const [n, event] of events.entries()) {
      if (event.cause === 'rollout' || event.cause === 'segment_deleted' || (slug !== null && event.segment !== slug)) continue;
      lines.push({ at: Date.parse(event.at), userId: one, n, line: userLine(one, event) });
    }
  }
  for (const change of await segmentRows()) {
    const at = Date.parse(change.at as string);
    if (at <= from || at >= Date.parse(to) || (slug !== null && change.slug !== slug)) continue;
    lines.push({ at, userId: '', n: 0, line: segmentLine(change) });
  }
  return lines
    .sort((a, b) => a.at - b.at || (a.userId < b.userId ? -1 : a.userId > b.userId ? 1 : a.n - b.n || (a.line < b.line ? -1 : 1)))
    .map(({ line }) => line);
}

/** As the database has them. */
async function segmentRows(): Promise<Data[]> {
  const { rows } = await database.pool.query<Data>(
    `with r as (
      select s.*, r.from_at, r.ranges, r.changed_by, lag(r.ranges) over (partition by s.segment_id order by r.from_at) as before
        from segments s join rollouts r using (segment_id))
    select slug, from_at as moment, case when from_at = created_at then 'created' else 'percent' end as change, changed_by as actor,
        (select coalesce(json_agg(json_build_array(lower(one), upper(one)) order by lower(one)), '[]') from unnest(ranges) one) as ranges,
        (select coalesce(sum(upper(one) - lower(one)), 0)::float8 / 100 from unnest(ranges) one) as percent
      from r where from_at < deleted_at and (from_at = created_at or ranges <> before)
    union all
    select slug, deleted_at, 'deleted', deleted_by, '[]'::json, 0 from segments where deleted_at < 'infinity'`,
  );
  return rows.map((row) => ({ ...row, at: new Date(row.moment as number).toISOString() }));
}

/** A client that comes back behind the last place it heard of, whatever happens to its connection. */
function persistentReader(filter: string, pick: () => Service | undefined) {
  const events: ReadEvent[] = [];
  let lastId = '';
  let current: EventSource | undefined;
  let connections = 0;
  const over = new AbortController();
  const keep = () => {
    if (!current) return;
    lastId = current.lastId() || lastId;
    events.push(...current.events.splice(0));
  };
  const run = async () => {
    while (!over.signal.aborted) {
      const service = pick();
      try {
        if (!service) throw new Error('nobody is there');
        current = await readEvents(`${service.url}/v1/changes?${filter}`, {
          authorization: `Bearer ${adminKey}`,
          ...(lastId === '' ? {} : { 'last-event-id': lastId }),
        });
        if (current.status !== 200 && current.status !== 503 && current.status !== 500)
          throw new assert.AssertionError({ message: `${current.status}: ${current.text()}` });
        connections++;
        await until(() => current!.isEnded() || over.signal.aborted, 'the end of the connection', 600_000);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        await new Promise((resolve) => void setTimeout(resolve, 20));
      }
      keep();
    }
  };
  const running = run();
  running.catch((error: unknown) => console.error(error));
  after(() => {
    over.abort();
    current?.kill();
    return running;
  });
  return {
    get events() {
      return [...events, ...(current?.events ?? [])];
    },
    lastId: () => current?.lastId() || lastId,
    connections: () => connections,
    kill: () => current?.kill(),
  };
}
