import { type Static, Type } from 'typebox';
import { MomentText, momentText, Revision, Slug, UserId } from '../http/common.schemas.ts';
import type { Lookup } from './reader.ts';

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

export const presentLookup = ({ users, asOf, revision }: Lookup): Static<typeof LookedUpBody> => ({
  users: users.map(({ userId, segments }) => ({ user_id: userId, segments: orNull(segments) })),
  as_of: momentText(asOf),
  revision: String(revision),
});
