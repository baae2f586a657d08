import type { HistoryEvent, Why } from '../api/answers.ts';

type Words = (moment: string) => string;

/** The entry or exit since which it is so: what holds now may have been said later. */
type Turn = Pick<HistoryEvent, 'cause' | 'actor'>;

/** Why a user is in a segment or not, as one says it. `words` says a moment. */
export function whySentence(why: Why, words: Words, turn?: Turn): string {
  return why.member ? inSentence(why, words, turn) : outSentence(why, words, turn);
}

function inSentence(why: Why, words: Words, turn?: Turn): string {
  const since = why.since ? ` since ${words(why.since)}` : '';
  const because =
    why.because === 'rollout'
      ? `because the percentage of ${why.rollout?.percent} %, set by ${why.changed_by}, takes their bucket ${why.rollout?.bucket}`
      : `because ${why.changed_by} added them`;
  const first = turn && firstReason(why, turn);
  return `In${since}${first ? `, first ${first}, then` : ''} ${because}; ${why.until ? `out on ${words(why.until)}` : 'with no end in sight'}.`;
}

/** By what they came in, where that is not what keeps them in. */
function firstReason({ because, changed_by: by }: Why, { cause, actor }: Turn): string | undefined {
  if (cause === 'rollout') return because === 'rollout' ? undefined : 'by percentage';
  return because === 'added' && actor === by ? undefined : `because ${actor} added them`;
}

function outSentence(why: Why, words: Words, turn?: Turn): string {
  const back = why.until ? `; in on ${words(why.until)}` : '';
  if (why.because === 'never_added') return `Never in${back}.`;
  const since = why.since ? `Out since ${words(why.since)}` : 'Out';
  // They may have been out before that.
  if (why.because === 'segment_deleted') return `${since}; ${why.changed_by} has deleted the segment.`;
  const wasOut = turn && (why.because === 'excluded' || why.because === 'group_taken') && !isBy(turn, why.changed_by);
  return `${since}${wasOut ? ';' : ' because'} ${outReason(why)}${back}.`;
}

const isBy = ({ cause, actor }: Turn, by: string | null): boolean => (cause === 'request' || cause === 'import') && actor === by;

function outReason({ because, changed_by: by, rollout }: Why): string {
  switch (because) {
    case 'excluded':
      return `${by} keeps them out${rollout ? ` of its ${rollout.percent} %` : ''}`;
    case 'group_taken':
      return `${by} added them to another segment of the group, which goes before its percentage`;
    case 'removed':
      return `${by} removed them`;
    case 'expired':
      return `the end that ${by} had set came`;
    default:
      return rollout
        ? `the percentage of ${rollout.percent} %, set by ${by}, does not take their bucket ${rollout.bucket}`
        : `the percentage, set by ${by}, no longer takes them`;
  }
}
