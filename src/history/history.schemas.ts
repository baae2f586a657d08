import { type Static, type TObject, Type } from 'typebox';
import { momentText, MomentText, NextCursor, Slug, UserId } from '../http/common.schemas.ts';
import type { Event } from '../timeline/events.ts';

export const Month = Type.String({
  pattern: '^(19[7-9]\\d|[2-9]\\d{3})-(0[1-9]|1[0-2])$',
  'x-rule': 'must be a month as YYYY-MM, from 1970-01',
  description: 'A calendar month, `YYYY-MM`.',
  examples: ['2026-11'],
});

export const TimeZone = Type.String({
  maxLength: 64,
  default: 'UTC',
  description: 'The IANA name of the time zone that bounds the month.',
  examples: ['Europe/Amsterdam'],
});

/** Of both requests for a link. */
export const linkParameters = {
  month: Month,
  timezone: Type.Optional(TimeZone),
  spreadsheet: Type.Optional(
    Type.Boolean({
      default: false,
      description:
        'A form in which a spreadsheet runs no cell as a formula: ids are in quotes, and an apostrophe stands before `=`, `+`, `-` and `@`.',
    }),
  ),
};

export type LinkQuery = Static<TObject<typeof linkParameters>>;

export const HistoryBody = Type.Object({
  user_id: UserId,
  from: MomentText,
  to: { ...MomentText, description: 'Up to here, not included, the answer is complete and final.' },
  events: Type.Array(
    Type.Object({
      at: MomentText,
      segment: Slug,
      operation: Type.String({ enum: ['add', 'remove'] }),
      cause: Type.String({ enum: ['request', 'import', 'ttl', 'rollout', 'segment_deleted'] }),
      actor: Type.String({
        description: 'The key behind it: for `ttl` of who set the end, for `rollout` of who set the percentage.',
      }),
    }),
  ),
  next_cursor: NextCursor,
});

export const LinkBody = Type.Object({
  url: Type.String({ format: 'uri', description: 'Absolute, signed; needs no key.' }),
  expires_at: MomentText,
});

export const presentEvent = ({ at, segment, operation, cause, actor }: Event) => ({
  at: momentText(at),
  segment,
  operation,
  cause,
  actor,
});
