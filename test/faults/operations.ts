import type { WantedChange } from '../../src/memberships/command.ts';
import type { randomSource } from '../model/random-history.ts';

export type Random = ReturnType<typeof randomSource>;

/** What a client is to do. Moments are told from when it is sent, so that a seed gives the same ones. */
export type Operation =
  | {
      readonly kind: 'change';
      readonly userId: string;
      readonly wanted: Omit<WantedChange, 'expires_at' | 'starts_at'>;
      readonly startsIn?: number;
      readonly endsIn?: number;
    }
  | {
      readonly kind: 'read';
      readonly userIds: readonly string[];
      readonly how: 'default' | 'last' | 'min';
      readonly isLookup: boolean;
      /** Of whom the client changed last; with `min` at the revision of its own change. */
      readonly isOwn: boolean;
    }
  | { readonly kind: 'at'; readonly userId: string; readonly ago: number }
  | { readonly kind: 'why'; readonly userId: string; readonly slug: string; readonly ago?: number }
  | { readonly kind: 'history'; readonly userId: string; readonly ago: number }
  | {
      readonly kind: 'import';
      readonly slug: string;
      readonly query: string;
      readonly users: readonly string[];
      readonly key: string;
    }
  | {
      readonly kind: 'segment';
      readonly operation: 'create' | 'delete' | 'percent' | 'cancel';
      readonly slug: string;
      readonly percent: number;
      readonly group: string | null;
      readonly startsIn?: number;
    };

const hot = Array.from({ length: 40 }, (_, i) => `hot-${i}`);
const coldCount = 4_000;

/** Without a percentage, with one, in a group, and deleted and made again all the time. */
const plain = ['PLAIN_0', 'PLAIN_1', 'PLAIN_2', 'PLAIN_3', 'PLAIN_4'];
const shared = ['SHARE_0', 'SHARE_1'];
const grouped = ['GROUP_0', 'GROUP_1', 'GROUP_2'];
const fleeting = ['FLEETING_0', 'FLEETING_1'];
const all = [...plain, ...shared, ...grouped, ...fleeting];
export const group = 'GROUP';

/** The segments that there are at the beginning. */
export const firstSegments = all.map((slug) => ({
  slug,
  percent: slug.startsWith('SHARE') ? 30 : slug.startsWith('GROUP') ? 10 : 0,
  exclusive_group: grouped.includes(slug) ? group : null,
}));

/** Of these somebody is always being changed, so a moment just passed may still gain a change. */
const hottest = hot.slice(0, 4);

const userOf = (random: Random): string => {
  const [isHot, isHottest, cold] = [random.chance(0.5), random.chance(0.5), `cold-${random.below(coldCount)}`];
  return isHot ? random.one(isHottest ? hottest : hot) : cold;
};

const kinds = [
  ...Array<'change'>(38).fill('change'),
  ...Array<'read'>(42).fill('read'),
  ...Array<'lookup'>(5).fill('lookup'),
  ...Array<'at'>(7).fill('at'),
  ...Array<'why'>(4).fill('why'),
  ...Array<'history'>(2).fill('history'),
  ...Array<'rare'>(2).fill('rare'),
] as const;

/** Of who never writes, so goes on while all writes are held up, which is when an answer about the past may be too early. */
const readerKinds = [...Array<'at'>(10).fill('at'), ...Array<'read'>(8).fill('read'), 'lookup', 'why', 'history'] as const;

/** The n-th operation of a client. */
export function randomOperation(random: Random, actor: string, n: number, isReader: boolean): Operation {
  const kind = random.one<(typeof kinds)[number]>(isReader ? readerKinds : kinds);
  const userId = userOf(random);
  if (kind === 'change') return randomChange(random, userId);
  if (kind === 'read') return { kind, userIds: [userId], how: freshness(random), isLookup: false, isOwn: random.chance(0.5) };
  if (kind === 'lookup') {
    const userIds = [...new Set(Array.from({ length: 2 + random.below(6) }, () => userOf(random)))];
    return { kind: 'read', userIds, how: freshness(random), isLookup: true, isOwn: random.chance(0.5) };
  }
  if (kind === 'at') {
    // Some ask for a moment to come: where the question waits for a connection, that is the moment at which it is answered.
    const recently = random.below(44) - 40;
    const [isRecent, ago, recent] = [random.chance(0.7), random.below(20_000), random.one(hottest)];
    return isRecent ? { kind, userId: recent, ago: recently } : { kind, userId, ago };
  }
  if (kind === 'why') return { kind, userId, slug: random.one(all), ...(random.chance(0.3) ? { ago: random.below(2_000) } : {}) };
  if (kind === 'history') return { kind, userId, ago: random.one([500, 3_000, 20_000]) };
  return random.chance(0.4) ? randomImport(random, `${actor}-${n}`) : randomSegment(random);
}

const freshness = (random: Random) => random.one(['default', 'default', 'default', 'last', 'last', 'min'] as const);

function randomChange(random: Random, userId: string): Operation {
  const named = new Set(Array.from({ length: 1 + random.below(4) }, () => random.one(all)));
  const add = [...named].filter(() => random.chance(0.6));
  const remove = [...named].filter((slug) => !add.includes(slug));
  const lists = { ...(add.length > 0 ? { add } : {}), ...(remove.length > 0 ? { remove } : {}) };
  const [endKind, startKind] = [random.below(10), random.below(10)];
  const [endsIn, startsIn, ttl] = [
    5 + random.below(random.one([30, 2_000])),
    5 + random.below(random.one([30, 1_500])),
    1 + random.below(3),
  ];
  if (add.length === 0) return { kind: 'change', userId, wanted: lists };
  const isPlanned = startKind < 2;
  return {
    kind: 'change',
    userId,
    wanted: {
      ...lists,
      ...(endKind < 2 ? { ttl_seconds: ttl } : {}),
      ...(!isPlanned && startKind < 6 && add.some((slug) => grouped.includes(slug)) ? { replace_in_group: true } : {}),
    },
    ...(isPlanned ? { startsIn } : {}),
    ...(endKind >= 2 && endKind < 5 ? { endsIn: (isPlanned ? startsIn : 0) + endsIn } : {}),
  };
}

function randomImport(random: Random, key: string): Operation {
  const operation = random.one(['add', 'add', 'remove', 'replace']);
  const users = [...new Set(Array.from({ length: 3 + random.below(25) }, () => userOf(random)))];
  const slug = random.one([...plain, ...shared, ...grouped, ...fleeting]);
  const isAdding = operation !== 'remove';
  const ttl = isAdding && random.chance(0.4) ? `&ttl_seconds=${1 + random.below(4)}` : '';
  const makesRoom = isAdding && grouped.includes(slug) && random.chance(0.5) ? '&replace_in_group=true' : '';
  return { kind: 'import', slug, query: `operation=${operation}${ttl}${makesRoom}`, users, key };
}

function randomSegment(random: Random): Operation {
  const slug = random.one([...shared, ...grouped, ...fleeting, ...fleeting]);
  const operation = fleeting.includes(slug)
    ? random.one(['create', 'delete', 'percent'] as const)
    : random.one(['percent', 'percent', 'percent', 'cancel'] as const);
  const percent = grouped.includes(slug) ? random.one([0, 5, 10, 30, 33]) : random.one([0, 10, 30, 60, 100]);
  const startsIn = 200 + random.below(2_500);
  const isLater = random.chance(0.5);
  return {
    kind: 'segment',
    operation,
    slug,
    percent,
    group: grouped.includes(slug) ? group : null,
    ...(isLater ? { startsIn } : {}),
  };
}
