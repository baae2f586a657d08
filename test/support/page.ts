import { isBuilt, writePage } from '../../ui/build/build.ts';

/** The page that a service of a test serves, built where it is not. */
export async function buildPage(): Promise<void> {
  if (!isBuilt()) await writePage();
}
