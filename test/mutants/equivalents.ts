import { type Mutant, mutantText } from './mutant.ts';

/** Mutants that change nothing that anybody could see, each with the reason; they are left out of the score. */
const equivalents: readonly { readonly file: string; readonly mutant: string; readonly because: string }[] = [];

export const equivalentTo = (file: string, text: string, mutant: Mutant): boolean => {
  const told = mutantText(text, mutant).replace(/^\d+: /, '');
  return equivalents.some((one) => one.file === file && told.startsWith(one.mutant));
};
