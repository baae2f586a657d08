import type { Call } from './http.ts';
import type { Operation } from './operations.ts';

/** What a client has learnt from answers. */
export interface Known {
  /** The revisions of its last changes, by user. */
  readonly own: ReadonlyMap<string, number>;
  /** The user that it changed last. */
  readonly last: string | undefined;
  /** The greatest revision that any answer told. */
  readonly seen: number;
  /** A percentage that is to come, by segment. */
  readonly scheduled: ReadonlyMap<string, number>;
}

export interface Request {
  readonly call: Call;
  /** Of a read: who is asked about. */
  readonly userIds?: readonly string[];
  readonly minRevision?: number;
  /** The moment that it names, or from which it asks. */
  readonly at?: number;
}

/** An operation as a request that is sent now. */
export function requestOf(operation: Operation, known: Known): Request {
  const now = Date.now();
  const text = (moment: number) => new Date(moment).toISOString();
  if (operation.kind === 'change') {
    const { userId, wanted, startsIn, endsIn } = operation;
    const moments = {
      ...(startsIn === undefined ? {} : { starts_at: text(now + startsIn) }),
      ...(endsIn === undefined ? {} : { expires_at: text(now + endsIn) }),
    };
    return { call: { method: 'PATCH', path: `/v1/users/${userId}/segments`, body: { ...wanted, ...moments } } };
  }
  if (operation.kind === 'read') return readOf(operation, known);
  if (operation.kind === 'at' || operation.kind === 'why') {
    const slug = operation.kind === 'why' ? `/${operation.slug}` : '';
    const at = operation.ago === undefined ? undefined : now - operation.ago;
    const path = `/v1/users/${operation.userId}/segments${slug}${at === undefined ? '' : `?at=${text(at)}`}`;
    return { call: { method: 'GET', path }, ...(at === undefined ? {} : { at }) };
  }
  if (operation.kind === 'history') {
    const from = now - operation.ago;
    return {
      call: { method: 'GET', path: `/v1/users/${operation.userId}/history?from=${text(from)}&to=2999-01-01T00:00:00Z` },
      at: from,
    };
  }
  if (operation.kind === 'import') {
    const { slug, query, users, key } = operation;
    const headers = { 'content-type': 'text/plain', 'idempotency-key': key };
    return { call: { method: 'POST', path: `/v1/segments/${slug}/imports?${query}`, body: users.join('\n'), headers } };
  }
  const { slug, percent, group, startsIn } = operation;
  const at = now + (startsIn ?? 0);
  if (operation.operation === 'create')
    return {
      call: {
        method: 'POST',
        path: '/v1/segments',
        body: { slug, percent, ...(group === null ? {} : { exclusive_group: group }) },
      },
      at,
    };
  if (operation.operation === 'delete') return { call: { method: 'DELETE', path: `/v1/segments/${slug}` }, at };
  if (operation.operation === 'cancel')
    return { call: { method: 'DELETE', path: `/v1/segments/${slug}/scheduled/${known.scheduled.get(slug) ?? now}` }, at };
  return {
    call: {
      method: 'PATCH',
      path: `/v1/segments/${slug}`,
      body: { percent, ...(startsIn === undefined ? {} : { effective_at: text(at) }) },
    },
    at,
  };
}

function readOf(operation: Operation & { kind: 'read' }, { own, last, seen }: Known): Request {
  const { how, isLookup, isOwn } = operation;
  // Whoever was changed last is who may be missed nearby.
  const changed = isOwn && how !== 'min' ? last : undefined;
  const userIds = changed === undefined ? operation.userIds : [...new Set([changed, ...operation.userIds.slice(1)])];
  const ownRevision = isOwn ? Math.max(0, ...userIds.map((id) => own.get(id) ?? 0)) : 0;
  const minRevision = ownRevision > 0 ? ownRevision : seen;
  const asked = { userIds, ...(how === 'min' ? { minRevision } : {}) };
  if (isLookup) {
    const freshness = {
      ...(how === 'last' ? { last_revision: true } : {}),
      ...(how === 'min' ? { min_revision: String(minRevision) } : {}),
    };
    return { call: { method: 'POST', path: '/v1/lookup', body: { user_ids: userIds, ...freshness } }, ...asked };
  }
  const query = { default: '', last: '?last_revision=true', min: `?min_revision=${minRevision}` }[how];
  return { call: { method: 'GET', path: `/v1/users/${userIds[0]}/segments${query}` }, ...asked };
}
