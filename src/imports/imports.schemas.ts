import { type Static, Type } from 'typebox';
import { momentText, MomentText, NextCursor, Revision, Slug } from '../http/common.schemas.ts';
import type { ShownImport } from './imports.store.ts';

const Operation = Type.Enum(['add', 'remove', 'replace']);
const State = Type.Enum(['receiving', 'running', 'done', 'failed', 'cancelled']);
const count = (description: string) => Type.Integer({ minimum: 0, description });

export const ImportQuery = Type.Object(
  {
    operation: Type.Enum(['add', 'remove', 'replace'], {
      description: '`replace` makes those in by hand exactly the ones of the file.',
    }),
    ttl_seconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'After how many seconds, from `created_at`, what is added ends. Default: never. Not with `remove`.',
      }),
    ),
    replace_in_group: Type.Optional(
      Type.Boolean({
        description: "End the users' memberships by hand in the other segments of the exclusive group. Not with `remove`.",
      }),
    ),
  },
  { additionalProperties: false },
);

export const ImportHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^[ -~]+$',
      'x-rule': 'must be 1 to 255 visible ASCII characters',
      description: 'A repeat with the same key, within a week, answers the import that the first one made.',
    }),
  ),
});

export const ImportListQuery = {
  segment: Type.Optional({ ...Slug, description: 'Only those into segments of this slug.' }),
  state: Type.Optional({ ...State, description: 'Only those in this state.' }),
};

export const ImportBody = Type.Object({
  id: Type.String({ examples: ['01930a1b-8c00-7abc-8def-0123456789ab'] }),
  segment: Slug,
  operation: Operation,
  state: State,
  received: count('Rows so far; blank lines and the header are none. At the end `applied + unchanged + rejected`.'),
  applied: count('Rows for which something was recorded.'),
  unchanged: count('Rows that found it so already.'),
  rejected: count('Rows that were refused; see `rejects`.'),
  removed: count('Those whom `replace` took out.'),
  created_at: MomentText,
  finished_at: Type.Union([MomentText, Type.Null()]),
  revision: Type.Union([Revision, Type.Null()], { description: 'Of the last batch so far; null until one is applied.' }),
  error: Type.Union([Type.String({ enum: ['interrupted', 'segment_deleted', 'internal_error'] }), Type.Null()], {
    description: 'Why it failed.',
  }),
});

export const ImportsBody = Type.Object({ imports: Type.Array(ImportBody), next_cursor: NextCursor });

export const presentImport = (one: ShownImport): Static<typeof ImportBody> => ({
  id: one.id,
  segment: one.slug,
  operation: one.operation,
  state: one.state,
  received: one.received,
  applied: one.applied,
  unchanged: one.unchanged,
  rejected: one.rejected,
  removed: one.removed,
  created_at: momentText(one.createdAt),
  finished_at: one.finishedAt === null ? null : momentText(one.finishedAt),
  revision: one.revision === null ? null : String(one.revision),
  error: one.error,
});
