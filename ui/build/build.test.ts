import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { isBuilt, writePage } from './build.ts';

const output = join(import.meta.dirname, '../dist');
const names = () => readdirSync(output).filter((name) => !/\.(br|gz)$/.test(name));

before(async () => {
  if (!isBuilt()) await writePage();
});

test('all of the page is under 100 kB as it goes over the wire, by either packing', () => {
  for (const packing of ['br', 'gz']) {
    const bytes = names().reduce((sum, name) => sum + statSync(join(output, `${name}.${packing}`)).size, 0);
    assert.ok(bytes > 10_000 && bytes < 100_000, `${bytes} bytes as ${packing}`);
  }
});

test('the way in names its files, and has no script or style of its own', () => {
  const page = readFileSync(join(output, 'index.html'), 'utf8');
  for (const name of names().filter((name) => name !== 'index.html')) assert.ok(page.includes(`"${name}"`), name);
  assert.doesNotMatch(page, /<style|style=|<script(?![^>]* src=)|\bon\w+=/);
});

test('no file names an address elsewhere', () => {
  for (const name of names()) {
    // Names of formats (SVG, XHTML, MathML) are no addresses that are asked.
    const text = readFileSync(join(output, name), 'utf8').replaceAll(/http:\/\/www\.w3\.org\/\d+\/[\w/]+/g, '');
    assert.doesNotMatch(text, /https?:\/\/|url\((?!#)/, name);
  }
});

test('the same sources make the same files', async () => {
  const before = names();
  await writePage();
  assert.deepEqual(names(), before);
  assert.ok(isBuilt());
});
