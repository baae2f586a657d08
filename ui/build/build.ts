import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const project = join(import.meta.dirname, '../..');
const output = join(project, 'ui/dist');

/** The look of uPlot, then what all screens share, then theirs. */
const styles = () => [
  'node_modules/uplot/dist/uPlot.min.css',
  'ui/parts/base.css',
  ...globSync('ui/*/*.css', { cwd: project })
    .filter((path) => path !== 'ui/parts/base.css' && !path.startsWith('ui/dist'))
    .toSorted(),
];

/** What the page is made of. Of the service and its client it takes pure files alone. */
const sources = () => [
  ...globSync(['ui/**/*.{ts,tsx,css,svg,html}', 'src/rollout/*.ts', 'client/src/{api,events}.ts'], { cwd: project }).filter(
    (path) => !path.startsWith('ui/dist') && !path.endsWith('.test.ts'),
  ),
  'package-lock.json',
];

/** Whether the built page is there and no older than what it is made of. */
export function isBuilt(): boolean {
  const builtAt = statSync(join(output, 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
  return sources().every((path) => statSync(join(project, path)).mtimeMs <= builtAt);
}

/** Puts the page, plain and packed, in `ui/dist`, by renaming a whole folder: nobody reads half of it. */
export async function writePage(): Promise<void> {
  const made = `${output}.${process.pid}`;
  mkdirSync(made, { recursive: true });
  for (const [name, content] of await bundle()) {
    writeFileSync(join(made, `${name}.br`), brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
    writeFileSync(join(made, `${name}.gz`), gzipSync(content, { level: 9 }));
    writeFileSync(join(made, name), content);
  }
  const old = `${made}.old`;
  try {
    renameSync(output, old);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  renameSync(made, output);
  rmSync(old, { recursive: true, force: true });
}

/** The files by name: `index.html`, and those it names, each with the hash of its contents in its name. */
async function bundle(): Promise<Map<string, Buffer>> {
  const { build } = await import('rolldown');
  const { output: made } = await build({
    input: join(project, 'ui/main.tsx'),
    write: false,
    tsconfig: join(project, 'ui/tsconfig.json'),
    output: { format: 'esm', minify: true },
  });
  const script = made.map((chunk) => (chunk.type === 'chunk' ? chunk.code : '')).join('');
  const files = new Map<string, Buffer>();
  const add = (stem: string, ending: string, content: string): string => {
    const name = `${stem}-${createHash('sha256').update(content).digest('hex').slice(0, 10)}.${ending}`;
    files.set(name, Buffer.from(content));
    return name;
  };
  const read = (path: string) => readFileSync(join(project, path), 'utf8');
  const names = {
    script: add('page', 'js', script),
    style: add('page', 'css', styles().map(read).map(withoutComments).join('\n')),
    icon: add('icon', 'svg', read('ui/icon.svg')),
  };
  const page = read('ui/index.html').replaceAll(/%(\w+)%/g, (_, name: string) => names[name as keyof typeof names]);
  return files.set('index.html', Buffer.from(page));
}

const withoutComments = (css: string): string => css.replaceAll(/\/\*[^]*?\*\//g, '').replaceAll(/\n\s*/g, '\n');
