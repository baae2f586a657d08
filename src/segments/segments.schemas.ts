import { type Static, Type } from 'typebox';
import { endText, momentText, MomentText, NextCursor, Slug } from '../http/common.schemas.ts';
import { noBuckets, percentOf, type Ranges } from '../rollout/ranges.ts';
import { rolloutAt } from '../timeline/definitions.ts';
import type { Moment } from '../timeline/facts.ts';
import type { SegmentRecord } from './definitions.store.ts';
import type { Movement, Preview } from './preview.ts';
import { scheduledOf } from './shares.ts';

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
      description:
        "Decides, with the user id, the bucket of each user. Never changes. Default: the slug; in an exclusive group it is the group's name.",
    }),
    exclusive_group: Type.Optional({
      ...Slug,
      description: 'Segments of one group never share a user. Never changes. Default: none.',
    }),
  },
  {
    additionalProperties: false,
    examples: [
      { slug: 'AVITO_NEW_CARD', percent: 10 },
      { slug: 'SPRING_10', percent: 50, exclusive_group: 'SPRING' },
      { slug: 'SPRING_20', percent: 30, exclusive_group: 'SPRING' },
    ],
  },
);

export const SegmentChangeBody = Type.Object(
  {
    description: Type.Optional(Type.String(description)),
    percent: Type.Optional(Type.Number(percent)),
    effective_at: Type.Optional({
      ...MomentText,
      description: 'The moment in the future at which `percent` comes into force; with `percent` alone. Default: now.',
    }),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    description: 'At least one of them.',
    examples: [{ percent: 20 }, { percent: 10 }, { percent: 50, effective_at: '2030-01-01T09:00:00Z' }],
  },
);

export const RangesBody = Type.Array(Type.Array(Type.Integer({ minimum: 0, maximum: 10_000 }), { minItems: 2, maxItems: 2 }), {
  description: 'The buckets taken, of 10,000: half-open [from, to) pairs.',
});

const fields = {
  slug: Slug,
  description: Type.String(),
  percent: Type.Number({ description: 'That in force.' }),
  salt: Type.String(),
  exclusive_group: Type.Union([Type.String(), Type.Null()]),
  created_at: MomentText,
  updated_at: { ...MomentText, description: 'The moment of the last request that changed the segment.' },
  ranges: RangesBody,
  scheduled: Type.Array(
    Type.Object({
      id: Type.String({ description: 'Its `effective_at` in milliseconds.' }),
      percent: Type.Number(),
      ranges: RangesBody,
      effective_at: MomentText,
    }),
    { description: 'Percentages still to come, by their moment. Their buckets are reserved.' },
  ),
};

export const SegmentBody = Type.Object(fields);
export const CountedSegmentBody = Type.Object({
  ...fields,
  members: Type.Integer({ minimum: 0, description: 'How many are in by hand.' }),
  rollout_estimate: Type.Integer({ minimum: 0, description: 'The share of the known users that `percent` is, rounded.' }),
});
const Movement = Type.Object({
  count: Type.Integer(),
  user_ids: Type.Array(Type.String(), { maxItems: 100, description: 'The first of them, in byte order.' }),
});

export const PreviewBody = Type.Object({
  slug: Slug,
  percent: Type.Object({ from: Type.Number(), to: Type.Number() }),
  effective_at: Type.Union([MomentText, Type.Null()], { description: 'Null: now.' }),
  buckets: Type.Object({ gained: Type.Integer(), lost: Type.Integer() }, { description: 'How many of the 10,000.' }),
  enter: { ...Movement, description: 'Known users who would come in.' },
  leave: { ...Movement, description: 'Known users who would go out.' },
  as_of: MomentText,
});

export const DryRunQuery = Type.Object(
  {
    dry_run: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'With `percent`: change nothing, and answer what the change would do to known users.',
      }),
    ),
  },
  { additionalProperties: false },
);

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

const presentRanges = (ranges: Ranges) => ranges.map(([from, to]) => [from, to]);

/** The wire form of a segment: what is in force at the moment, and what is to come. */
export const presentSegment = (segment: SegmentRecord, moment: Moment): Static<typeof SegmentBody> => {
  const ranges = rolloutAt(segment, moment)?.ranges ?? noBuckets;
  return {
    slug: segment.slug,
    description: segment.description,
    percent: percentOf(ranges),
    salt: segment.salt,
    exclusive_group: segment.exclusiveGroup,
    created_at: momentText(segment.createdAt),
    updated_at: momentText(segment.updatedAt),
    ranges: presentRanges(ranges),
    scheduled: scheduledOf(segment, moment).map((rollout) => ({
      id: String(rollout.startsAt),
      percent: percentOf(rollout.ranges),
      ranges: presentRanges(rollout.ranges),
      effective_at: momentText(rollout.startsAt),
    })),
  };
};

export const presentPreview = (preview: Preview): Static<typeof PreviewBody> => ({
  slug: preview.slug,
  percent: { from: preview.from, to: preview.to },
  effective_at: endText(preview.effectiveAt),
  buckets: { gained: preview.gained, lost: preview.lost },
  enter: presentMovement(preview.enter),
  leave: presentMovement(preview.leave),
  as_of: momentText(preview.asOf),
});

const presentMovement = ({ count, userIds }: Movement) => ({ count, user_ids: [...userIds] });

export const presentMember = (member: { userId: string; since: number; endsAt: number }) => ({
  user_id: member.userId,
  since: momentText(member.since),
  until: endText(member.endsAt),
});
