import { parseMoment } from '../http/moment.ts';
import { type Fault, invalid, Problem } from '../http/problem.ts';
import type { Command, End } from '../timeline/decide.ts';

/** The most slugs that one change may name, in both lists together. */
const maxSlugs = 1_000;

/** The body of a PATCH as the schema lets it through. */
export interface WantedChange {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly ttl_seconds?: number;
  readonly expires_at?: string;
  readonly starts_at?: string;
  readonly replace_in_group?: boolean;
}

/** What is asked for, once it makes sense in itself: 400 for nothing, too much, a slug twice, or ends that say nothing. */
export function commandOf(wanted: WantedChange, actor: string): Command {
  const { add = [], remove = [], ttl_seconds, expires_at, starts_at, replace_in_group = false } = wanted;
  const count = add.length + remove.length;
  if (count === 0) throw invalid('', 'Name at least one slug in add or in remove.');
  if (count > maxSlugs) throw invalid('', `Name at most ${maxSlugs} slugs in add and remove together; got ${count}.`);
  if (ttl_seconds !== undefined && expires_at !== undefined)
    throw invalid('expires_at', 'cannot be given together with ttl_seconds.');
  if (add.length === 0 && ttl_seconds !== undefined) throw invalid('ttl_seconds', 'is the end of what is added: it needs add.');
  if (add.length === 0 && starts_at !== undefined) throw invalid('starts_at', 'is the start of what is added: it needs add.');
  if (add.length === 0 && wanted.replace_in_group !== undefined)
    throw invalid('replace_in_group', 'makes room for what is added: it needs add.');
  if (replace_in_group && starts_at !== undefined)
    throw invalid('replace_in_group', 'cannot be given together with starts_at: end the present one with expires_at, then plan.');
  if (add.length === 0 && expires_at !== undefined) throw invalid('expires_at', 'is the end of what is added: it needs add.');
  refuseRepeats(add, remove);
  return {
    add,
    remove,
    start: starts_at === undefined ? null : parseMoment(starts_at)!,
    end: endOf(ttl_seconds, expires_at),
    replaceInGroup: replace_in_group,
    actor,
    cause: 'request',
  };
}

function refuseRepeats(add: readonly string[], remove: readonly string[]) {
  const firstAt = new Map<string, string>();
  const faults: Fault[] = [];
  for (const [list, slugs] of Object.entries({ add, remove })) {
    for (const [i, slug] of slugs.entries()) {
      const path = `${list}/${i}`;
      const first = firstAt.get(slug);
      if (first) faults.push({ path, message: `${slug} is named already in ${first}.` });
      else firstAt.set(slug, path);
    }
  }
  const [first] = faults;
  if (first)
    throw new Problem('invalid_request', `A slug may be named once: ${first.path}: ${first.message}`, {
      faults: faults.slice(0, 20),
    });
}

function endOf(ttlSeconds: number | undefined, expiresAt: string | undefined): End {
  if (ttlSeconds !== undefined) return { kind: 'ttl', milliseconds: ttlSeconds * 1000 };
  return expiresAt === undefined ? { kind: 'never' } : { kind: 'at', moment: parseMoment(expiresAt)! };
}
