import type { FastifyReply } from 'fastify';
import { Problem } from './problem.ts';

/** Answers of one kind that a process sends at a time. */
export interface AtOnce {
  /** Takes a place until the answer has been sent or given up; 503 `overloaded` where there is none. */
  enter(reply: FastifyReply): void;
}

/** `what`: of which there are too many, for the one who is refused. */
export function atOnce(max: number, what: string): AtOnce {
  let taken = 0;
  return {
    enter({ raw }) {
      if (raw.closed) return; // nobody is there to be sent anything, and nothing would tell that it is over
      if (taken >= max)
        throw new Problem('overloaded', `This process is sending ${max} ${what} already; ask again.`, { isRoutine: true });
      taken++;
      raw.once('close', () => taken--);
    },
  };
}
