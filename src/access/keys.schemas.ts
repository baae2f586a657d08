import { Type } from 'typebox';
import { endText, momentText, MomentText, NextCursor } from '../http/common.schemas.ts';
import { keyNamePattern, scopes } from './key.ts';
import type { ListedKey } from './keys.store.ts';

export const KeyName = Type.String({
  pattern: keyNamePattern,
  'x-rule': 'must be 1 to 128 visible characters',
  description: 'What the history shows as the actor: 1 to 128 visible characters. Never given again.',
  examples: ['analytics'],
});

const scope = Type.Enum([...scopes], { description: 'Each includes those before it.', examples: ['write'] });

export const NewKeyBody = Type.Object(
  { name: KeyName, scope },
  { additionalProperties: false, examples: [{ name: 'analytics', scope: 'write' }] },
);

export const OwnKeyBody = Type.Object({ name: KeyName, scope });

export const MadeKeyBody = Type.Object({
  name: KeyName,
  scope,
  key: Type.String({ description: 'Shown this once: only its SHA-256 is kept.' }),
});

const ListedKeyBody = Type.Object({
  name: KeyName,
  scope,
  created_at: MomentText,
  revoked_at: Type.Union([MomentText, Type.Null()], { description: 'Null while it lives.' }),
});

export const KeysBody = Type.Object({ keys: Type.Array(ListedKeyBody), next_cursor: NextCursor });

export const presentKey = ({ name, scope, createdAt, revokedAt }: ListedKey) => ({
  name,
  scope,
  created_at: momentText(createdAt),
  revoked_at: endText(revokedAt),
});
