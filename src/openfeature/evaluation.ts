import { momentText } from '../http/moment.ts';
import { livesAt, livingAt } from '../timeline/definitions.ts';
import type { Facts, Moment, Segment } from '../timeline/facts.ts';
import { boundaries, type Pair, pairOf, pairsOf, type Standing, standingAt } from '../timeline/pair.ts';

/** What OpenFeature is told of a user and a segment. What would be null is left out. */
export interface Evaluation {
  /** The slug. */
  readonly key: string;
  readonly value: boolean;
  readonly reason: 'TARGETING_MATCH' | 'SPLIT' | 'STATIC';
  readonly variant: 'in' | 'out';
  readonly metadata: {
    readonly because: 'added' | 'rollout' | 'excluded' | 'group_taken' | 'not_in';
    /** Where the segment takes a percentage. */
    readonly bucket?: number;
    /** When time alone will change the value, as far as is known now. */
    readonly until?: string;
  };
}

/** Of one segment at a moment, from the present facts of a user; `undefined` where no living segment bears the slug. */
export function evaluate(facts: Facts, slug: string, moment: Moment): Evaluation | undefined {
  const segment = livingAt(facts.definitions, slug, moment);
  return segment && evaluationOf(pairOf(facts, segment), moment);
}

/** Of all living segments, in byte order of their slugs. */
export function evaluateAll(facts: Facts, moment: Moment): Evaluation[] {
  const told = new Map<Segment, Evaluation>();
  for (const pair of pairsOf(facts)) {
    if (livesAt(pair.segment, moment)) told.set(pair.segment, evaluationOf(pair, moment));
  }
  return facts.definitions.segments
    .filter((segment) => livesAt(segment, moment))
    .map((segment) => told.get(segment) ?? untouched(segment))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

function evaluationOf(pair: Pair, moment: Moment): Evaluation {
  const standing = standingAt(pair, moment);
  const until = nextChange(pair, standing, moment);
  return {
    key: pair.segment.slug,
    value: standing.member,
    ...reasonOf(standing),
    variant: standing.member ? 'in' : 'out',
    metadata: {
      because: becauseOf(standing),
      ...(standing.rollout && standing.rollout.ranges.length > 0 ? { bucket: pair.bucket } : {}),
      ...(until === undefined ? {} : { until: momentText(until) }),
    },
  };
}

/** Of a segment that takes no percentage, never did, and of which nothing was said of the user by hand. */
const untouched = ({ slug }: Segment): Evaluation => ({
  key: slug,
  value: false,
  reason: 'STATIC',
  variant: 'out',
  metadata: { because: 'not_in' },
});

function reasonOf({ member, stay, rival }: Standing): Pick<Evaluation, 'reason'> {
  if (stay) return { reason: 'TARGETING_MATCH' };
  return { reason: member || rival ? 'SPLIT' : 'STATIC' };
}

function becauseOf({ member, stay, rival }: Standing): Evaluation['metadata']['because'] {
  if (stay) return member ? 'added' : 'excluded';
  if (member) return 'rollout';
  return rival ? 'group_taken' : 'not_in';
}

/** The next moment at which the user enters or leaves by what is known now: the `until` of why. */
function nextChange(pair: Pair, { member }: Standing, moment: Moment): Moment | undefined {
  return boundaries(pair).find((at) => at > moment && standingAt(pair, at).member !== member);
}
