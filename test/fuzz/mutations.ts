import { natureNames, oddBody, oddJson, oddText } from './odd-values.ts';
import type { Random } from './random.ts';
import type { Operation, Wish } from './requests.ts';

type Mutation = (wish: Wish, random: Random, operation: Operation) => void;

const badEscapes = ['%', '%z', '%zz', '%ff', '%c0%80', '%ed%a0%80', '%C3', '%00', '%u0041', '%25%32%65'];
const encoded = (text: string) => {
  try {
    return encodeURIComponent(text);
  } catch {
    return '%ED%A0%80'; // what a lone surrogate would be
  }
};

/** Where the body is not JSON, as `oddBody`. */
const inBody: Mutation = (wish, random) => {
  if (!wish.body) return;
  const valid = wish.body.toString();
  const parsed = valid.length < 100_000 ? safeParse(valid) : undefined; // what was made deep before stays whole
  if (!isObject(parsed) || random.chance(25)) {
    wish.body = oddBody(random, valid);
    return;
  }
  const names = Object.keys(parsed);
  const name = names.length > 0 && random.chance(80) ? random.pick(names) : random.pick(['surprise', 'ADD', ...natureNames]);
  const json = oddJson(random);
  const rest = names.filter((one) => one !== name).map((one) => `${JSON.stringify(one)}:${JSON.stringify(parsed[one])}`);
  const own = `${JSON.stringify(name)}:${json}`;
  const all = random.pick([
    () => [own, ...rest],
    () => [...rest, own],
    () => rest, // left out
    () => [own, ...rest, `${JSON.stringify(name)}:${JSON.stringify(parsed[name] ?? null)}`], // twice
    () => [...rest, own, `"${random.pick(natureNames)}":${oddJson(random)}`],
    () => [...rest, `${JSON.stringify(name)}:[${json},${json}]`],
    () => [...rest, `"\\u00${name.charCodeAt(0).toString(16).padStart(2, '0')}${name.slice(1)}":${json}`], // spelt otherwise
  ])();
  wish.body = Buffer.from(`{${all.join(',')}}`);
};

const inQuery: Mutation = (wish, random, { parameters }) => {
  const known = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
  const name = known.length > 0 && random.chance(75) ? random.pick(known) : random.pick(['surprise', 'LIMIT', ...natureNames]);
  const value = random.chance(30) ? random.pick(badEscapes) : encoded(oddText(random));
  const made = random.pick([
    () => [`${name}=${value}`],
    () => [`${name}=1`, `${name}=${value}`],
    () => [`${name}[]=${value}`],
    () => [`${name}[__proto__]=${value}`],
    () => [name],
    () => [`=${value}`, '', '&&'],
    () => [`${encoded(name)}%00=${value}`],
    () => [`${name}=${value};${name}=1`],
    () => [`${name}=${'x'.repeat(random.pick([200, 2_001, 14_000]))}`],
    () => Array.from({ length: 1_500 }, (_, i) => `a${i}=`),
    () => [`${name}=1#fragment`],
  ])();
  wish.query = random.chance(70)
    ? [...wish.query.filter((one) => !one.startsWith(`${name}=`)), ...made]
    : [...wish.query, ...made];
};

const inPath: Mutation = (wish, random) => {
  const at = random.below(wish.segments.length);
  const odd = random.pick([
    () => encoded(oddText(random)),
    () => random.pick(badEscapes),
    () => random.pick(['..', '.', '%2e%2e', '%2E', '%2f', '%5c', '', '%00', ';a=b', '*', '%20', '%2525', ':slug', '{slug}']),
    () => 'x'.repeat(random.pick([129, 3_000, 12_000, 17_000])),
    () => '\u00e9\u{1f600}',
    () => wish.segments[at]!.toUpperCase(),
    () => `${wish.segments[at]}/`,
    () => `${wish.segments[at]}%2f..%2f..`,
  ])();
  if (random.chance(60)) wish.segments[at] = odd;
  else wish.segments.splice(at, random.below(2), odd);
};

const headers: [string, string][] = [
  ['Content-Type', 'application/json; charset=utf-16'],
  ['Content-Type', 'application/json; charset=\u00ff'],
  ['Content-Type', 'APPLICATION/JSON'],
  ['Content-Type', 'application/json, text/plain'],
  ['Content-Type', 'text/plain'],
  ['Content-Type', 'text/csv; charset=utf-16'],
  ['Content-Type', 'multipart/form-data; boundary=x'],
  ['Content-Type', 'application/x-www-form-urlencoded'],
  ['Content-Type', ''],
  ['Content-Type', ';'],
  ['Content-Encoding', 'gzip'],
  ['Content-Encoding', 'br'],
  ['Accept', 'text/csv'],
  ['Accept', '\u00ff/\u00ff;q=2'],
  ['Accept', '*/*;'.repeat(500)],
  ['Accept-Encoding', 'gzip;q=nothing'],
  ['Expect', '100-continue'],
  ['Expect', 'the-unexpected'],
  ['Upgrade', 'h2c'],
  ['Connection', 'upgrade, HTTP2-Settings'],
  ['Connection', 'close'],
  ['Connection', 'keep-alive, authorization'],
  ['Range', 'bytes=0-0,5-9'],
  ['If-None-Match', '*'],
  ['If-Modified-Since', 'yesterday'],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['X-Forwarded-For', '\u00ff, 127.0.0.1, ::1'],
  ['X-Forwarded-Host', 'evil.example\u0001'],
  ['Forwarded', 'for="_x;"'],
  ['Origin', 'null'],
  ['Cookie', '__proto__=1; '.repeat(200)],
  ['Idempotency-Key', ''],
  ['Idempotency-Key', '\u00e9'],
  ['Idempotency-Key', 'k'.repeat(256)],
  ['Trailer', 'Authorization'],
  ['TE', 'trailers'],
  ['Date', '0'],
  ['__proto__', 'x'],
  ['constructor', 'x'],
  ['X-Large', 'x'.repeat(15_000)],
  ['X-Larger', 'x'.repeat(40_000)],
  ['Host', ''],
  ['Host', 'a b'],
  ['Host', '\u00ff'],
  ['Host', '[::1'],
];

const inHeaders: Mutation = (wish, random) => {
  const [name, value] = random.pick(headers);
  const others = wish.headers.filter(([one]) => one.toLowerCase() !== name.toLowerCase());
  const isTwice = random.chance(25);
  wish.headers = [...(isTwice ? wish.headers : others), [name, value]];
  if (random.chance(5))
    wish.headers = [...wish.headers, ...Array.from({ length: 2_500 }, (_, i): [string, string] => [`X-${i}`, ''])];
};

const inMethod: Mutation = (wish, random) => {
  const long = 'X'.repeat(5_000);
  wish.method = random.pick([
    'GET',
    'HEAD',
    'OPTIONS',
    'PUT',
    'TRACE',
    'CONNECT',
    'PROPFIND',
    'QUERY',
    'get',
    'DELETE',
    'POST',
    'PATCH',
    'FOO',
    '',
    long,
  ]);
};

const inFraming: Mutation = (wish, random) => {
  random.pick([
    () => (wish.framing = 'chunked'),
    () => (wish.framing = 'none'),
    () => wish.headers.push(['Content-Length', random.pick(['0', '1', '-1', '+5', '5, 6', '0x10', '9'.repeat(30), '', '1e3'])]),
    () =>
      wish.headers.push([
        'Transfer-Encoding',
        random.pick(['chunked', 'gzip, chunked', 'identity', 'xchunked', 'chunked, chunked', ' chunked']),
      ]),
    () => (wish.body = Buffer.concat([wish.body ?? Buffer.alloc(0), Buffer.from('GET /v1/keys HTTP/1.1\r\nHost: x\r\n\r\n')])),
    () => wish.headers.push(['X-Folded', 'a\r\n b']),
    () => wish.headers.push(['X-Nul', 'a\u0000b']),
    () => wish.headers.push(['X Space', 'b']),
    () => (wish.segments = ['', '', 'other.example', ...wish.segments]),
    () => (wish.segments[0] = ` ${wish.segments[0]}`),
  ])();
};

/** Those after which where one request ends and the next begins may be seen differently: each gets a connection of its own. */
const breaking: readonly Mutation[] = [inMethod, inFraming, inHeaders];
const all: readonly Mutation[] = [inBody, inBody, inBody, inQuery, inQuery, inPath, inHeaders, inMethod, inFraming];

/** One to three changes. `keepsTarget`: none of the path or the method. Answers whether framing may be broken. */
export function mutate(wish: Wish, random: Random, operation: Operation, { keepsTarget = false } = {}): boolean {
  const allowed = all.filter((mutation) => !keepsTarget || ![inPath, inMethod, inFraming].includes(mutation));
  let isBroken = false;
  for (let i = 1 + random.below(random.pick([1, 1, 3])); i > 0; i--) {
    const mutation = random.pick(allowed);
    mutation(wish, random, operation);
    isBroken ||= breaking.includes(mutation) || (mutation === inPath && /[\s\u0080-\u{10ffff}]/u.test(wish.segments.join('')));
  }
  return isBroken;
}

function safeParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
