import { type Static, Type } from 'typebox';
import { endText, momentText, MomentText, NextCursor, Slug } from '../http/common.schemas.ts';
import { percentOf } from '../rollout/ranges.ts';
import type { SegmentRecord } from './definitions.store.ts';

const description = {
  maxLength: 1000,
  // What neither PostgreSQL nor UTF-8 can hold.
  pattern: '^[^\\u0000\\ud800-\\udfff]*$',
  'x-rule': 'must hold no NUL and no lone surrogate',
  description: 'Up to 1,000 characters.',
};
const percent = { minimum: 0, maximum: 100, description: 'Of all users, taken automatically. In steps of 0.01.' };

export const NewSegmentBody = Type.Object(
  {
    slug: Slug,
    description: Type.Optional(Type.String({ ...description, default: '' })),
    percent: Type.Optional(Type.Number({ ...percent, default: 0 })),
    salt: Type.Optional({
      ...Slug,
      description: 'Decides, with the user id, the bucket of each user. Never changes. Default: the slug.',
    }),
  },
  { additionalProperties: false },
);

export const SegmentChangeBody = Type.Object(
  { description: Type.Optional(Type.String(description)), percent: Type.Optional(Type.Number(percent)) },
  { additionalProperties: false, minProperties: 1, description: 'At least one of them.' },
);

export const RangesBody = Type.Array(Type.Array(Type.Integer({ minimum: 0, maximum: 10_000 }), { minItems: 2, maxItems: 2 }), {
  description: 'The buckets taken, of 10,000: half-open [from, to) pairs.',
});

const fields = {
  slug: Slug,
  description: Type.String(),
  percent: Type.Number(),
  salt: Type.String(),
  created_at: MomentText,
  updated_at: { ...MomentText, description: 'The moment of the last request that changed the segment.' },
  ranges: RangesBody,
};

export const SegmentBody = Type.Object(fields);
export const CountedSegmentBody = Type.Object({
  ...fields,
  members: Type.Integer({ minimum: 0, description: 'How many are in by hand.' }),
});
export const SegmentsBody = Type.Object({ segments: Type.Array(CountedSegmentBody), next_cursor: NextCursor });

export const MembersBody = Type.Object({
  members: Type.Array(
    Type.Object({
      user_id: Type.String(),
      since: MomentText,
      until: Type.Union([MomentText, Type.Null()], { description: 'When the membership ends by itself; null: never.' }),
    }),
  ),
  next_cursor: NextCursor,
});

/** The wire form of a segment: what stands. */
export const presentSegment = (segment: SegmentRecord): Static<typeof SegmentBody> => {
  const { ranges } = segment.rollouts.at(-1)!;
  return {
    slug: segment.slug,
    description: segment.description,
    percent: percentOf(ranges),
    salt: segment.salt,
    created_at: momentText(segment.createdAt),
    updated_at: momentText(segment.updatedAt),
    ranges: ranges.map(([from, to]) => [from, to]),
  };
};

export const presentMember = (member: { userId: string; since: number; endsAt: number }) => ({
  user_id: member.userId,
  since: momentText(member.since),
  until: endText(member.endsAt),
});
