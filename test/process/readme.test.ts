import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Environment } from '../../src/config.ts';
import { problems } from '../../src/http/problem.ts';
import { cloneDatabase } from '../support/database.ts';
import { copyProject } from '../support/project-copy.ts';
import { adminKey, startService } from '../support/service.ts';

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');

/** Where the README's commands expect the service. */
const documentedUrl = 'http://127.0.0.1:8080';

const headings = [
  'Five minutes',
  'Percentages and groups',
  'Files of ids',
  'Following along',
  'OpenFeature',
  'The client in ten lines',
];
for (const heading of headings) {
  suite(heading, async () => {
    const steps = stepsOf(sectionOf(heading));
    const { url } = await cloneDatabase();
    const service = await startService({ DATABASE_URL: url });
    const { printed, failure } = await runSteps(steps, service.url);

    test('every command succeeds and complains of nothing', () => assert.equal(failure, ''));

    for (const [i, { command, language, answer }] of steps.entries()) {
      test(`${i + 1}: ${command.split('\n', 1)[0]}`, () => {
        const actual = printed[i]?.replaceAll(service.url, documentedUrl);
        assert.ok(actual !== undefined, 'it was not reached');
        assert.deepEqual(comparable(language, actual), comparable(language, answer));
      });
    }
  });
}

test('the table of configuration names every variable, its default and what is allowed', () => {
  const variables = Object.entries(
    Environment.properties as unknown as Record<string, { default?: string | number; description: string }>,
  );
  assert.deepEqual(
    tableOf('Configuration').map(([name, byDefault, allowed]) => [name, byDefault, allowed]),
    variables.map(([name, schema]) => [
      `\`${name}\``,
      schema.default === undefined ? 'none' : `\`${schema.default}\``,
      schema.description,
    ]),
  );
});

test('the table of errors names every code with its status', () => {
  assert.deepEqual(
    tableOf('Errors').map(([code, status]) => [code, status]),
    Object.entries(problems).map(([code, [status]]) => [`\`${code}\``, String(status)]),
  );
});

/** The text below a heading of the second level. */
function sectionOf(heading: string): string {
  const [, section] = readme.split(`\n## ${heading}\n`);
  assert.ok(section, `the README has no section ${heading}`);
  return section.split('\n## ', 1)[0]!;
}

/** The cells of the first table of a section, without its head. */
function tableOf(heading: string): string[][] {
  const lines = sectionOf(heading)
    .split('\n')
    .filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

interface Step {
  command: string;
  language: 'json' | 'csv' | 'text';
  /** What the block right after the command says that it prints; empty where there is none. */
  answer: string;
}

function stepsOf(section: string): Step[] {
  const steps: Step[] = [];
  for (const [, language, text] of section.matchAll(/^```(.*)\n([^]*?)^```$/gm)) {
    const last = steps.at(-1);
    if (language === 'sh') steps.push({ command: text!, language: 'text', answer: '' });
    else if (last?.answer === '' && (language === 'json' || language === 'csv' || language === 'text'))
      Object.assign(last, { language, answer: text });
    else throw new Error(`the README has a block of ${language} that answers no command:\n${text}`);
  }
  assert.ok(steps.length > 0);
  return steps;
}

/** Runs all steps in one shell, as a reader would: what one sets is there for the next. Ends with the first that fails. */
async function runSteps(steps: Step[], serviceUrl: string): Promise<{ printed: string[]; failure: string }> {
  const mark = '<<< end of a step >>>';
  const commands = steps.map(({ command }) => `${command}\necho; echo '${mark}'\n`).join('');
  const script = commands.startsWith('BASE=') ? commands : `BASE=\nKEY=\n${commands}`; // as the first section says
  const ours = script.replace(/^BASE=.*$/m, `BASE=${serviceUrl}`).replace(/^KEY=.*$/m, `KEY=${adminKey}`);
  assert.ok(ours.includes(`BASE=${serviceUrl}\n`) && ours.includes(`KEY=${adminKey}\n`) && !ours.includes(documentedUrl));
  const cwd = await clone();
  return new Promise((resolve) => {
    // npm would ask its registry about a package that needs none.
    const env = { ...process.env, npm_config_audit: 'false' };
    execFile('sh', ['-euc', `${curl()}\n${ours}`], { timeout: 60_000, cwd, env }, (error, stdout, stderr) => {
      void rm(cwd, { recursive: true });
      resolve({ printed: stdout.split(`\n${mark}\n`).slice(0, -1), failure: error ? `${error.message}\n${stderr}` : stderr });
    });
  });
}

/** The folder that a reader has, to write files into. The packages are there by a link. */
async function clone(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'segmentd-readme-'));
  await copyProject(folder, ['package.json', 'tsconfig.json', 'client', 'src']);
  return folder;
}

/** The machine's own curl, else one for the shell that is made of `test/support/curl.ts`. */
function curl(): string {
  if (!spawnSync('curl', ['--version']).error) return '';
  const standIn = fileURLToPath(new URL('../support/curl.ts', import.meta.url));
  return `curl() { '${process.execPath}' '${standIn}' "$@"; }`;
}

/** An answer without what differs each time. JSON is compared as such, so the README may break its lines where it likes. */
function comparable(language: Step['language'], answer: string): unknown {
  const text = answer
    .replaceAll('\r\n', '\n')
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<moment>')
    .replaceAll(/"revision": ?"\d{16}"/g, '"revision":"<revision>"')
    .replaceAll(/"id": ?"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g, '"id":"<id>"')
    .replaceAll(/"request_id": ?"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g, '"request_id":"<request id>"')
    .replaceAll(/(\/v1\/downloads\/)[\w.-]{60,}/g, '$1<token>');
  return language === 'json' ? (JSON.parse(text) as unknown) : text.trim();
}
