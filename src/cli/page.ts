import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PageFile } from '../http/page.ts';

/** Where `npm run build:ui` puts the page. */
const builtPage = fileURLToPath(new URL('../../ui/dist', import.meta.url));

/** The files of the built page; none where it is not built. */
export function readPage(): PageFile[] {
  let names: string[];
  try {
    names = readdirSync(builtPage);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const read = (name: string) => readFileSync(join(builtPage, name));
  return names
    .filter((name) => !/\.(br|gz)$/.test(name))
    .map((name) => ({ name, plain: read(name), br: read(`${name}.br`), gzip: read(`${name}.gz`) }));
}
