import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { noChromium, startBrowser } from '../support/browser.ts';
import { buildPage } from '../support/page.ts';
import { startService } from '../support/service.ts';
import { tellStory } from './story.ts';

/** `UI_PICTURES=docs/ui npm test -- test/ui/screens.test.ts` makes those of the documents anew. */
const folder = process.env.UI_PICTURES ?? (await mkdtemp(join(tmpdir(), 'segmentd-pictures-')));
mkdirSync(folder, { recursive: true });

/** What is opened, done and waited for before a screen is looked at. */
const screens: Record<string, { hash: string; make: (page: Page) => Promise<void> }> = {
  segments: {
    hash: '#/segments',
    make: (page) => page.locator('.spark').nth(6).waitFor(),
  },
  'new-segment': {
    hash: '#/segments',
    async make(page) {
      await page.getByRole('button', { name: 'New segment' }).click();
      await page.getByLabel('Slug', { exact: true }).fill('SPRING 30');
      await page.getByLabel('Percentage of all users').fill('130');
      await page.getByRole('button', { name: 'Create' }).click();
      await page.locator('.fault').nth(1).waitFor();
    },
  },
  segment: {
    hash: '#/segments/NEWSLETTER',
    async make(page) {
      await page.getByRole('table', { name: 'Who is in by hand, by id' }).waitFor();
      await page.locator('.plot canvas').waitFor();
      await page.getByRole('button', { name: /^Show \d+ rejects/ }).click();
      await page.getByRole('table', { name: 'Rows that were rejected' }).waitFor();
    },
  },
  group: {
    hash: '#/segments/SPRING_10',
    async make(page) {
      await page.getByLabel('Percentage by slider').fill('65');
      await page.getByText(/known users would enter/).waitFor();
      await page.getByText(/would gain/).waitFor();
    },
  },
  users: { hash: '#/users', make: (page) => page.getByText('Type the id of a user').waitFor() },
  user: {
    hash: '#/users/1000',
    async make(page) {
      await page.getByRole('button', { name: 'NEW_SEARCH', exact: true }).click();
      await page.locator('.why-answer .tag').waitFor();
      for (let i = 0; i < 3; i++) await page.getByRole('button', { name: '‹ Change before' }).click();
      await page.locator('[data-confirmed="true"]').waitFor();
      await page.getByText(/(In|Out) since/).waitFor();
    },
  },
  operating: {
    hash: '#/operating',
    async make(page) {
      await page.getByText('ready', { exact: true }).waitFor();
      await page.getByText(/^\d+(\.\d+)? %$/).waitFor();
      await page.waitForTimeout(process.env.UI_PICTURES ? 9_000 : 0); // so that there is a curve to see
    },
  },
};

test('each screen, light and dark, wide and narrow: it fits, and axe finds nothing serious', { skip: noChromium }, async (t) => {
  await buildPage();
  const { database, keys } = await tellStory();
  const { url } = await startService({ DATABASE_URL: database.url });
  const browser = await startBrowser();
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [width, viewport] of Object.entries({ wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } })) {
      const context = await browser.newContext({
        colorScheme,
        viewport,
        timezoneId: 'Europe/Amsterdam',
        reducedMotion: 'reduce',
      });
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      const complaints: string[] = [];
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      const look = async (name: string) => {
        await page.evaluate('scrollTo(0, 0)'); // the bar stays where one looks
        await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true });
        const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
        assert.ok(overflow <= 0, `${name} is ${overflow} pixels too wide`);
        assert.deepEqual(await seriousIn(page), [], name);
      };
      await page.goto(`${url}/ui/`);
      await page.getByLabel('Key').waitFor();
      await look('sign-in');
      await page.getByLabel('Key').fill(keys.analytics);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByLabel('Key').waitFor({ state: 'detached' }); // before it is loaded anew, which would break that off
      for (const [name, { hash, make }] of Object.entries(screens)) {
        await t.test(`${name}, ${width}, ${colorScheme}`, async () => {
          await page.goto(`${url}/ui/${hash}`);
          await page.reload();
          await page.locator('main h1').waitFor();
          await make(page);
          await page.locator('main .card[aria-busy="true"]').waitFor({ state: 'detached' });
          await look(name);
        });
      }
      // A form that the service refuses is a 400 in the console of the browser, and it is meant.
      const unmeant = complaints.filter((text) => !/status of 400/.test(text));
      assert.deepEqual(unmeant, []);
      await context.close();
    }
  }
});

/** What axe finds that keeps somebody out. */
async function seriousIn(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as axe.AxeResults;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}
