import { type Mutant, mutantText } from './mutant.ts';

/** Mutants that change nothing that anybody could see, each with the reason, by their files; they are left out of the score. */
const equivalents: Readonly<Record<string, readonly (readonly [mutant: string, because: string])[]>> = {
  'migrations/0001_core.sql': [
    [' <  →  <=     in: while now_us < low', 'it looks at the clock once more'],
    [' >  →  >=     in: if low - now_us > 1000000', 'a second to the microsecond is none of the two'],
    [' >  →  >=     in: if s > (select last_value from settled)', 'to set it to what it is changes nothing'],
    ['perform pg_sleep', 'it looks at the clock without a rest'],
  ],
  'migrations/0007_even_batches.sql': [
    [' >  →  >=     in: if cardinality(p_reject_lines)', 'to insert no rows is to insert nothing'],
  ],
  'migrations/0009_since_of_plans.sql': [
    [' >  →  >=     in: elsif cardinality(p_users) > 1', 'the update locks the same row a moment later'],
    [' and  →  or     in: elsif cardinality(p_users) > 1', 'the update locks the same rows a moment later'],
    [' >  →  >=     in: if v_users > 1 and v_known is null', 'for one user either statement does the same'],
    [' >  →  >=     in: if v_ends > 0', 'to end no stays is to end nothing'],
    [' >  →  >=     in: if v_begins > 1', 'for one stay either statement does the same'],
    [' >  →  >=     in: elsif v_begins > 0', 'to begin no stays is to begin nothing'],
    [' >  →  >=     in: if cardinality(array_remove(b_start', 'to note no starts is to note nothing'],
  ],
  'src/imports/deciding.ts': [["refused === 'end_not_future' → true", 'only a rule that is broken elsewhere leads past it']],
  'src/rollout/murmur3.ts': [
    ['0 → 1    in: let seen = 0', 'it is above 127 by what is or-ed to it alone'],
    ['- → +    in: for (let i = length - 1', 'beyond its end a text has NaN, which counts as 0 here'],
    ['seen > 127 → true', 'over the bytes of any text it is the same, more slowly'],
    ['> → >=    in: if (seen > 127)', 'over the bytes of any text it is the same, more slowly'],
  ],
  'src/rollout/taking.ts': [
    ['< → <=    in: step.count < has', 'to keep all is to take none'],
    ['< → <=    in: for (let bucket = 0', 'what is written beyond the last bucket is nowhere'],
    ['1 → 2    in: chosen[bucket] = 1', 'a flag that is not 0 is set'],
    ['1 → 2    in: for (const bucket of all', 'a flag that is not 0 is set'],
  ],
  'src/segments/shares.ts': [
    ['find → findLast', 'no two percentages of a segment begin at one moment'],
    ['< → <=    in: .sort((a, b) => (a.slug', 'no two slugs of living segments are equal'],
    ['1 → 2    in: .sort((a, b) => (a.slug', 'the sign counts'],
  ],
  'src/timeline/decide.ts': [
    ['groups.size === 0 → false', 'it saves the walk over all segments'],
    ['< → <=    in: .sort((a, b) => (a.slug', 'no two slugs of living segments are equal'],
    ['1 → 2    in: .sort((a, b) => (a.slug', 'the sign counts'],
    ['< → <=    in: return !excluded && from < to', 'a time of no length overlaps nothing'],
    ["moment === Infinity ? { kind: 'never' }", 'an end at infinity is stored as none'],
    ['Infinity → -Infinity    in: const endAt', 'an end at infinity is stored as none'],
    ['command.start === null ? undefined : applied(facts, rows', 'who is added now is in now'],
    ['.filter((stay) => stay.endedCause === null)', 'whoever decides reads no past stays'],
    ['Infinity → -Infinity    in: const coming', 'the walk begins with Infinity as well'],
    ["end.kind === 'ttl' && add.length > 0 →", 'a TTL without an add is refused before'],
    ["&& → ||    in: else if (end.kind === 'ttl'", 'a TTL without an add is refused before'],
    ["> → >=    in: else if (end.kind === 'ttl'", 'a TTL without an add is refused before'],
    ['> → >=    in: return coming.reduce', 'that it happens at the moment itself was asked before'],
    ['< → <=    in: return coming.reduce', 'of two equal moments either is the soonest'],
  ],
  'src/timeline/definitions.ts': [
    ['findLast → find    in: definitions.bySlug.get(slug)?.findLast(({ deletedAt })', 'only the newest life can be living'],
    ['newest && moment < newest.endsAt', "a segment's percentages leave no gap in its life"],
    ['< → <=    in: return newest', "a segment's percentages leave no gap in its life"],
  ],
  'src/timeline/events.ts': [
    ['1 → 2    in: a.at - b.at', 'the sign counts'],
    ['1 → 2    in: const compare', 'the sign counts'],
    ['> → <=    in: const compare', 'a sort asks only whether one is less'],
    ['a > b ? 1 : 0 → (0)', 'a sort asks only whether one is less'],
    ['0 → 1    in: const compare', 'of a moment no pair tells two events'],
    ['< → <=    in: const compare', 'of a moment no pair tells two events'],
    ['a > b ? 1 : 0 → (1)', 'of a moment no pair tells two events'],
    ['> → >=    in: const compare', 'of a moment no pair tells two events'],
  ],
  'src/timeline/leftovers.ts': [['< → <=    in: if (endsAt === deletedAt', 'what never ends has no cause']],
  'src/timeline/pair.ts': [
    [
      '.filter((other) => other.segment !== segment) → nothing',
      'what is said by hand here counts before what is said in another one',
    ],
  ],
  'src/timeline/segments-at.ts': [
    ['> → >=    in: if (ranges && ranges.length > 0', 'no range covers no bucket'],
    ['< → <=    in: if (!known || known.startsAt', 'no two stays of a pair begin at one moment'],
  ],
  'src/timeline/stays.ts': [
    ['< → <=    in: .sort((a, b) => (a.slug', 'equal slugs were told apart before'],
    ['1 → 2    in: .sort((a, b) => (a.slug', 'the sign counts'],
  ],
};

export const equivalentTo = (file: string, text: string, mutant: Mutant): boolean => {
  const told = mutantText(text, mutant).replace(/^\d+: /, '');
  return equivalents[file]?.some(([known]) => told.startsWith(known)) ?? false;
};
