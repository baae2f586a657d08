import { type Static, Type } from 'typebox';
import { endText, MomentText, momentText, NextCursor, Revision, Slug, UserId } from '../http/common.schemas.ts';
import { answered } from '../reading/reading.schemas.ts';
import { RangesBody } from '../segments/segments.schemas.ts';
import type { Because, Explanation } from '../timeline/explain.ts';
import type { ToldStay } from '../timeline/stays.ts';

const slugs = (description: string) => Type.Optional(Type.Array(Slug, { maxItems: 1000, description }));

export const ChangeBody = Type.Object(
  {
    add: slugs('The segments to put the user in.'),
    remove: slugs('The segments to take the user out of; under a percentage the user is kept out of it from then on.'),
    ttl_seconds: Type.Optional(
      Type.Integer({ minimum: 1, description: 'After how many seconds all of `add` ends. Default: never.' }),
    ),
    expires_at: Type.Optional({
      ...MomentText,
      description: 'The moment in the future at which all of `add` ends; not together with `ttl_seconds`.',
    }),
    starts_at: Type.Optional({
      ...MomentText,
      description:
        'The moment in the future at which all of `add` begins; a TTL counts from it. What holds goes on until then. One plan a segment stands, and a later add or remove replaces it.',
    }),
    replace_in_group: Type.Optional(
      Type.Boolean({
        description:
          'Ends what the user is in by hand, or will be, in the other segments of the exclusive groups of `add`. Not together with `starts_at`. Default: false, a conflict.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'At least one slug, at most 1,000 in both lists together, none twice.',
    examples: [
      { add: ['AVITO_VOICE_MESSAGES'], remove: ['AVITO_DISCOUNT_30'] },
      { add: ['AVITO_PERFORMANCE_VAS'], ttl_seconds: 172_800 },
      { add: ['SPRING_20'], replace_in_group: true },
    ],
  },
);

export const ChangedBody = Type.Object({
  user_id: UserId,
  added: Type.Array(Slug, { description: 'Not in the instant before, in now.' }),
  removed: Type.Array(Slug, {
    description: 'In the instant before, not in now; also those of a group that made room with `replace_in_group`.',
  }),
  unchanged: Type.Array(Slug, { description: 'As before; the end may have moved.' }),
  ...answered,
});

const reasons = [
  'added',
  'rollout',
  'segment_deleted',
  'excluded',
  'group_taken',
  'removed',
  'expired',
  'not_covered',
  'never_added',
] as const satisfies readonly Because[];

const MaybeMoment = (description: string) => Type.Union([MomentText, Type.Null()], { description });

export const WhyBody = Type.Object({
  user_id: UserId,
  segment: Slug,
  member: Type.Boolean(),
  because: Type.String({ enum: [...reasons] }),
  since: MaybeMoment('The last entry or exit up to the moment, within this life of the segment.'),
  until: MaybeMoment('The next one after it, past or foreseen.'),
  changed_by: Type.Union([Type.String(), Type.Null()], { description: 'The key behind it.' }),
  rollout: Type.Union([Type.Object({ percent: Type.Number(), bucket: Type.Integer(), ranges: RangesBody }), Type.Null()], {
    description: 'The percentage in force and the bucket of the user, 0 to 9999; null at 0 percent.',
  }),
  as_of: MomentText,
});

export const ToldBody = Type.Object({
  memberships: Type.Array(
    Type.Object({
      segment: Slug,
      effect: Type.String({ enum: ['include', 'exclude'] }),
      starts_at: MomentText,
      ends_at: MaybeMoment('Null: it does not end by itself.'),
      changed_by: Type.String({ description: 'Who set it, or its end, last.' }),
      ended_by: Type.Optional(Type.String()),
      ended_cause: Type.Optional(Type.String({ enum: ['request', 'import', 'ttl', 'segment_deleted'] })),
    }),
  ),
  next_cursor: NextCursor,
  as_of: MomentText,
  revision: Revision,
});

export const presentWhy = (userId: string, slug: string, why: Explanation & { asOf: number }): Static<typeof WhyBody> => ({
  user_id: userId,
  segment: slug,
  member: why.member,
  because: why.because,
  since: endText(why.since),
  until: endText(why.until),
  changed_by: why.changedBy,
  rollout: why.rollout && { ...why.rollout, ranges: why.rollout.ranges.map(([from, to]) => [from, to]) },
  as_of: momentText(why.asOf),
});

/** With who ended it and why where that is asked for. */
export const presentStay = (stay: ToldStay, ended: boolean) => ({
  segment: stay.slug,
  effect: stay.excluded ? 'exclude' : 'include',
  starts_at: momentText(stay.startsAt),
  ends_at: endText(stay.endsAt),
  changed_by: stay.begunBy,
  ...(ended ? { ended_by: stay.endedBy!, ended_cause: stay.endedCause! } : {}),
});
