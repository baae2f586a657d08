import type { Why } from '../api/answers.ts';

type Words = (moment: string) => string;

/** Why a user is in a segment or not, as one says it. `words` says a moment. */
export function whySentence(why: Why, words: Words): string {
  return why.member ? inSentence(why, words) : outSentence(why, words);
}

function inSentence(why: Why, words: Words): string {
  const since = why.since ? ` since ${words(why.since)}` : '';
  const because =
    why.because === 'rollout'
      ? `the percentage of ${why.rollout?.percent} %, set by ${why.changed_by}, takes their bucket ${why.rollout?.bucket}`
      : `${why.changed_by} added them`;
  return `In${since} because ${because}; ${why.until ? `out on ${words(why.until)}` : 'with no end in sight'}.`;
}

function outSentence(why: Why, words: Words): string {
  const back = why.until ? `; in on ${words(why.until)}` : '';
  if (why.because === 'never_added') return `Never in${back}.`;
  const since = why.since ? `Out since ${words(why.since)}` : 'Out';
  // They may have been out before that.
  if (why.because === 'segment_deleted') return `${since}; ${why.changed_by} has deleted the segment.`;
  return `${since} because ${outReason(why)}${back}.`;
}

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
