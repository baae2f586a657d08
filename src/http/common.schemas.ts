import { Type } from 'typebox';
import { endText, momentText, parseMoment } from './moment.ts';
import { userIdPattern } from './user-id.ts';

const slugRule = 'must be 1 to 128 of A-Z a-z 0-9 _ . -, starting with a letter or digit';

export const Slug = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$',
  'x-rule': slugRule,
  description: 'The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit.',
  examples: ['AVITO_VOICE_MESSAGES'],
});

export const UserId = Type.String({
  pattern: userIdPattern,
  'x-rule': 'must be 1 to 128 visible ASCII characters, and not . or ..',
  description: '1 to 128 visible ASCII characters, percent-encoded in a path where needed; `.` and `..` are none.',
  examples: ['1000'],
});

export const MomentText = Type.String({
  format: 'date-time',
  description: 'RFC 3339, answered in UTC with milliseconds.',
  examples: ['2026-11-23T10:00:00.000Z'],
});

export const Revision = Type.String({
  pattern: '^(0|[1-9][0-9]{0,17})$',
  'x-rule': 'must be a revision as an answer gave it',
  description: 'Orders writes: greater is later.',
  examples: ['1795428000000000'],
});

export const revisionHeader = {
  revision: Type.String({ description: 'The revision of the change, or of the last change it rests on where nothing changed.' }),
};

export const NextCursor = Type.Union([Type.String(), Type.Null()], { description: 'For the next page; null on the last.' });

export const listParameters = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  cursor: Type.Optional(Type.String({ maxLength: 2000, description: 'The `next_cursor` of the page before.' })),
};

/** A moment that the schema has accepted. */
export const toMoment = (text: string): number => parseMoment(text)!;

export { endText, momentText };
