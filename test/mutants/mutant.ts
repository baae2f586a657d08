/** One change of a source text that its tests should notice. */
export interface Mutant {
  /** Where it begins in the text, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  /** What stands there instead. */
  readonly instead: string;
}

export const mutated = (text: string, { start, end, instead }: Mutant): string =>
  text.slice(0, start) + instead + text.slice(end);

/** The line of a mutant and the change, in words. */
export function mutantText(text: string, mutant: Mutant): string {
  const line = text.slice(0, mutant.start).split('\n').length;
  const whole = text.split('\n')[line - 1]!.trim();
  const from = text.slice(mutant.start, mutant.end).replaceAll(/\s+/g, ' ');
  return `${line}: ${short(from)} → ${short(mutant.instead) || 'nothing'}    in: ${whole}`;
}

const short = (text: string) => (text.length > 60 ? `${text.slice(0, 57)}...` : text);
