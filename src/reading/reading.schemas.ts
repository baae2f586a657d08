import { type Static, Type } from 'typebox';
import { MomentText, momentText, Revision, Slug, UserId } from '../http/common.schemas.ts';
import type { Lookup, UserRead } from './reader.ts';

const Segments = Type.Union([Type.Array(Slug), Type.Null()], { description: 'Sorted; null when the user is in none.' });

/** What every answer says of the present of one user. */
export const answered = { segments: Segments, as_of: MomentText, revision: Revision };

export const SegmentsOfUserBody = Type.Object({ user_id: UserId, ...answered });

const freshness = {
  last_revision: Type.Optional(Type.Boolean({ default: false, description: 'Ask the database, so the answer is current.' })),
  min_revision: Type.Optional({ ...Revision, description: 'The answer is at least as new as this revision.' }),
};

export const At = Type.Optional({
  ...MomentText,
  description: 'A past moment. The same question gets the same answer whenever it is asked.',
});

export const FreshnessQuery = Type.Object({ ...freshness, at: At }, { additionalProperties: false });

export const LookupBody = Type.Object(
  { user_ids: Type.Array(UserId, { minItems: 1, maxItems: 1000 }), ...freshness },
  { additionalProperties: false },
);

export const LookedUpBody = Type.Object({
  users: Type.Array(Type.Object({ user_id: UserId, segments: Segments })),
  as_of: MomentText,
  revision: Revision,
});

/** For the header `Age`. Rounded up, since it is how old the answer is at most. */
export const ageSeconds = (ageMs: number): number => Math.max(0, Math.ceil(ageMs / 1000));

export const ageHeader = {
  age: Type.Integer({ minimum: 0, description: 'How many seconds old the answer is at most; 0 when the database was asked.' }),
};

const orNull = (segments: readonly string[]) => (segments.length > 0 ? [...segments] : null);

export const presentSegments = (
  userId: string,
  { segments, asOf, revision }: { segments: readonly string[]; asOf: number; revision: number },
): Static<typeof SegmentsOfUserBody> => ({
  user_id: userId,
  segments: orNull(segments),
  as_of: momentText(asOf),
  revision: String(revision),
});

/**
 * The same as JSON text, put together by hand: half the time. Slugs need no escapes. What follows the segments is
 * kept, as most reads from memory between two refreshes say the same there.
 */
export function segmentsText(userId: string, { segments, asOf, revision }: UserRead): string {
  if (asOf !== tail.asOf || revision !== tail.revision)
    tail = { asOf, revision, text: `,"as_of":"${momentText(asOf)}","revision":"${revision}"}` };
  return `${userText(userId, segments)}${tail.text}`;
}

/** All but the end of the object. */
const userText = (userId: string, segments: readonly string[]): string =>
  `{"user_id":${idText(userId)},"segments":${segments.length > 0 ? `["${segments.join('","')}"]` : 'null'}`;

/** An id is of visible ASCII, of which JSON escapes these two. */
const idText = (userId: string): string => (/["\\]/.test(userId) ? JSON.stringify(userId) : `"${userId}"`);

let tail = { asOf: NaN, revision: NaN, text: '' };

/** The body of a lookup, as JSON text. */
export function lookupText({ users, asOf, revision }: Lookup): string {
  let list = '';
  for (const { userId, segments } of users) list += `${list === '' ? '' : ','}${userText(userId, segments)}}`;
  return `{"users":[${list}],"as_of":"${momentText(asOf)}","revision":"${revision}"}`;
}
