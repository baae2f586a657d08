import { quoted } from '../http/quoted.ts';
import { userIdPattern } from '../http/user-id.ts';
import { parseMoment } from '../http/moment.ts';
import type { Moment } from '../timeline/facts.ts';
import { EvaluationFailure } from './failure.ts';

const userId = new RegExp(userIdPattern);

/**
 * The user that a request asks about: its `context.targetingKey`. Whatever else the context holds is not looked at: who is in
 * a segment does not depend on it. Throws `TARGETING_KEY_MISSING`, `INVALID_CONTEXT`.
 */
export function userOf(body: unknown): string {
  const context = isObject(body) ? body.context : undefined;
  if (!isObject(context)) throw new EvaluationFailure('INVALID_CONTEXT', 'Send an object with the field context, an object.');
  const { targetingKey } = context;
  if (targetingKey === undefined || targetingKey === null || targetingKey === '')
    throw new EvaluationFailure('TARGETING_KEY_MISSING', 'context.targetingKey is missing: it is the user id.');
  if (typeof targetingKey !== 'string' || !userId.test(targetingKey))
    throw new EvaluationFailure(
      'INVALID_CONTEXT',
      `context.targetingKey must be a user id: 1 to 128 visible ASCII characters, and not . or ..; got ${quoted(targetingKey)}`,
    );
  return targetingKey;
}

/**
 * The moment that a `flagConfigLastModified` names, in seconds or as RFC 3339: what a stream said of the change that is asked
 * for. `undefined` for anything else: it bounds how old an answer may be, and nobody has to send it.
 */
export function modifiedAt(text: unknown): Moment | undefined {
  if (typeof text !== 'string') return undefined;
  return /^\d{1,12}$/.test(text) ? Number(text) * 1000 : parseMoment(text);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
