import { isIP } from 'node:net';
import { Ajv, type ErrorObject } from 'ajv';
import { envSchema } from 'env-schema';
import { type Static, Type } from 'typebox';

/** Environment variables, each with what is allowed. The README's table says the same (a test compares them). */
export const Environment = Type.Object({
  DATABASE_URL: Type.Optional(Type.String({ pattern: '^postgres(ql)?://', description: 'a postgres:// address' })),
  DATA_DIR: Type.String({ minLength: 1, default: './data', description: 'a folder' }),
  DATABASE_POOL_SIZE: Type.Integer({ minimum: 2, maximum: 1000, default: 10, description: 'a whole number from 2 to 1000' }),
  DATABASE_WAIT_SECONDS: Type.Integer({ minimum: 0, maximum: 3600, default: 60, description: 'a whole number from 0 to 3600' }),
  HOST: Type.String({ minLength: 1, default: '127.0.0.1', description: 'an address to listen on' }),
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 8080, description: 'a port from 0 to 65535 (0: any free one)' }),
  PUBLIC_URL: Type.Optional(Type.String({ pattern: '^https?://[^\\s?#]+$', description: 'an http:// or https:// address' })),
  TLS_CERT: Type.Optional(Type.String({ description: 'a file in PEM' })),
  TLS_KEY: Type.Optional(Type.String({ description: 'a file in PEM' })),
  TRUST_PROXY: Type.Optional(
    Type.String({ description: 'addresses or networks (10.0.0.0/8), loopback, linklocal or uniquelocal, with commas between' }),
  ),
  CORS_ORIGINS: Type.Optional(Type.String({ description: 'origins (https://example.org), with commas between' })),
  ADMIN_KEY: Type.Optional(Type.String({ pattern: '^[!-~]{16,256}$', description: '16 to 256 visible ASCII characters' })),
  LINK_SECRET: Type.Optional(Type.String({ minLength: 16, description: 'at least 16 characters' })),
  FAILED_KEYS_PER_MINUTE: Type.Integer({
    minimum: 0,
    maximum: 1_000_000,
    default: 30,
    description: 'a whole number from 0 to 1000000 (0: any number)',
  }),
  KEY_READS_PER_SECOND: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'a whole number from 1 to 1000000' }),
  ),
  KEY_WRITES_PER_SECOND: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'a whole number from 1 to 1000000' }),
  ),
  MAX_REQUESTS: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1000, description: 'a whole number from 1 to 1000000' }),
  MAX_DOWNLOADS: Type.Integer({ minimum: 1, maximum: 1000, default: 8, description: 'a whole number from 1 to 1000' }),
  CACHE: Type.Enum(['snapshot', 'redis', 'off'], { default: 'snapshot', description: 'snapshot, redis or off' }),
  REDIS_URL: Type.Optional(Type.String({ pattern: '^rediss?://', description: 'a redis:// or rediss:// address' })),
  MAX_STALENESS_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 3600,
    default: 300,
    description: 'a whole number from 1 to 3600',
  }),
  LINK_TTL_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 31_536_000,
    default: 3600,
    description: 'a whole number from 1 to 31536000',
  }),
  MAX_IMPORT_BYTES: Type.Integer({
    minimum: 1024,
    maximum: 1_099_511_627_776,
    default: 1_073_741_824,
    description: 'a whole number from 1024 to 1099511627776',
  }),
  CHANGES_HOURS: Type.Integer({
    minimum: 1,
    maximum: 8760,
    default: 24,
    description: 'a whole number from 1 to 8760',
  }),
  HISTORY_MONTHS: Type.Optional(Type.Integer({ minimum: 1, maximum: 1200, description: 'a whole number from 1 to 1200' })),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    default: 'info',
    description: 'fatal, error, warn, info, debug, trace or silent',
  }),
  LOG_SAMPLE: Type.Number({ minimum: 0, maximum: 1, default: 0.001, description: 'a number from 0 to 1' }),
  SLOW_REQUEST_MS: Type.Integer({
    minimum: 1,
    maximum: 3_600_000,
    default: 1000,
    description: 'a whole number from 1 to 3600000',
  }),
});

export type Config = Static<typeof Environment>;

/** A bad value, told in one line that names the variable, the value and what is allowed. */
export class ConfigError extends Error {}

/** Values that must not be printed, not even when they are wrong. */
const secrets = new Set(['DATABASE_URL', 'REDIS_URL', 'ADMIN_KEY', 'LINK_SECRET']);

/**
 * The configuration from the environment and an optional `.env` in the working folder; the environment wins. An empty
 * variable counts as not set. Throws `ConfigError`.
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env, { dotenv = true }: { dotenv?: boolean } = {}): Config {
  const data = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const ajv = new Ajv({ coerceTypes: true, useDefaults: true, removeAdditional: true, verbose: true, addUsedSchema: false });
  let config: Config;
  try {
    config = envSchema<Config>({ schema: Environment, data, dotenv, env: false, ajv });
  } catch (error) {
    const [first] = (error as { errors?: ErrorObject[] }).errors ?? [];
    if (!first) throw error;
    const name = first.instancePath.slice(1);
    const allowed = (first.parentSchema as { description: string }).description;
    const value = secrets.has(name) ? 'the given value (not shown)' : JSON.stringify(first.data);
    throw new ConfigError(`${name}: ${value} is not allowed; it must be ${allowed}.`, { cause: error });
  }
  if (config.REDIS_URL !== undefined && !URL.canParse(config.REDIS_URL))
    throw new ConfigError(
      'REDIS_URL: its value is no address; it must be a redis:// or rediss:// address, with / # ? @ : of a password percent-encoded.',
    );
  if (config.CACHE === 'redis' && config.REDIS_URL === undefined)
    throw new ConfigError('REDIS_URL: it is not set; where CACHE is redis it must be a redis:// or rediss:// address.');
  if ((config.TLS_CERT === undefined) !== (config.TLS_KEY === undefined)) {
    const [missing, given] = config.TLS_KEY === undefined ? ['TLS_KEY', 'TLS_CERT'] : ['TLS_CERT', 'TLS_KEY'];
    throw new ConfigError(`${missing}: it is not set, but ${given} is; https needs both.`);
  }
  checkList(config, 'TRUST_PROXY', isProxy);
  checkList(config, 'CORS_ORIGINS', isOrigin);
  return config;
}

/** What a variable lists, with commas between. */
export const listOf = (text: string | undefined): string[] =>
  text === undefined ? [] : text.split(',').map((one) => one.trim());

function checkList(config: Config, name: 'TRUST_PROXY' | 'CORS_ORIGINS', isValid: (one: string) => boolean) {
  const wrong = listOf(config[name]).find((one) => !isValid(one));
  if (wrong === undefined) return;
  const { description } = Environment.properties[name] as { description?: string };
  throw new ConfigError(`${name}: ${JSON.stringify(wrong)} is not allowed; it must be ${description}.`);
}

function isProxy(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  if (bits === undefined) return ['loopback', 'linklocal', 'uniquelocal'].includes(text) || isIP(address) !== 0;
  const most = { 4: 32, 6: 128 }[isIP(address)] ?? 0;
  return more.length === 0 && /^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= most;
}

/** As a browser writes it: no path, no port that is the scheme's own, small letters. */
const isOrigin = (text: string): boolean => /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
