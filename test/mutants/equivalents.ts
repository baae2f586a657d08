import { type Mutant, mutantText } from './mutant.ts';

const inDecide = (mutant: string) => ({ file: 'src/timeline/decide.ts', mutant });

const inEvents = (mutant: string) => ({ file: 'src/timeline/events.ts', mutant });
const inDefinitions = (mutant: string) => ({ file: 'src/timeline/definitions.ts', mutant });

/** Mutants that change nothing that anybody could see, each with the reason; they are left out of the score. */
const equivalents: readonly { readonly file: string; readonly mutant: string; readonly because: string }[] = [
  {
    file: 'src/timeline/pair.ts',
    mutant: '.filter((other) => other.segment !== segment) → nothing',
    because: 'what is said by hand here counts before what is said in another one',
  },
  { ...inDecide('groups.size === 0 → false'), because: 'it saves the walk over all segments' },
  { ...inDecide('< → <=    in: .sort((a, b) => (a.slug'), because: 'no two slugs of living segments are equal' },
  { ...inDecide('1 → 2    in: .sort((a, b) => (a.slug'), because: 'the sign counts' },
  { ...inDecide('< → <=    in: return !excluded && from < to'), because: 'a time of no length overlaps nothing' },
  { ...inDecide("until === Infinity ? { kind: 'never' }"), because: 'an end at infinity is stored as none' },
  { ...inDecide('Infinity → -Infinity    in: end: until'), because: 'an end at infinity is stored as none' },
  { ...inDecide('.filter((stay) => stay.endedCause === null)'), because: 'whoever decides reads no past stays' },
  { ...inDecide('Infinity → -Infinity    in: const coming'), because: 'the walk begins with Infinity as well' },
  { ...inDecide("end.kind === 'ttl' && add.length > 0 →"), because: 'a TTL without an add is refused before' },
  { ...inDecide("&& → ||    in: else if (end.kind === 'ttl'"), because: 'a TTL without an add is refused before' },
  { ...inDecide("> → >=    in: else if (end.kind === 'ttl'"), because: 'a TTL without an add is refused before' },
  { ...inDecide('> → >=    in: return coming.reduce'), because: 'that it happens at the moment itself was asked before' },
  { ...inDecide('< → <=    in: return coming.reduce'), because: 'of two equal moments either is the soonest' },
  {
    ...inDefinitions('findLast → find    in: definitions.bySlug.get(slug)?.findLast(({ deletedAt })'),
    because: 'only the newest life can be living',
  },
  { ...inDefinitions('newest && moment < newest.endsAt'), because: "a segment's percentages leave no gap in its life" },
  { ...inDefinitions('< → <=    in: return newest'), because: "a segment's percentages leave no gap in its life" },
  { ...inEvents('1 → 2'), because: 'the sign counts' },
  { ...inEvents('> → <=    in: const compare'), because: 'a sort asks only whether one is less' },
  { ...inEvents('a > b ? 1 : 0 → (0)'), because: 'a sort asks only whether one is less' },
  { ...inEvents('0 → 1    in: const compare'), because: 'of a moment no pair tells two events' },
  {
    file: 'src/timeline/leftovers.ts',
    mutant: '< → <=    in: if (endsAt === deletedAt',
    because: 'what never ends has no cause',
  },
  { ...inEvents('< → <=    in: const compare'), because: 'of a moment no pair tells two events' },
  { ...inEvents('a > b ? 1 : 0 → (1)'), because: 'of a moment no pair tells two events' },
  { ...inEvents('> → >=    in: const compare'), because: 'of a moment no pair tells two events' },
];

export const equivalentTo = (file: string, text: string, mutant: Mutant): boolean => {
  const told = mutantText(text, mutant).replace(/^\d+: /, '');
  return equivalents.some((one) => one.file === file && told.startsWith(one.mutant));
};
