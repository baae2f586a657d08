import { existsSync } from 'node:fs';
import { after } from 'node:test';
import { type Browser, chromium } from 'playwright-core';

const usual = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = process.env.CHROMIUM_PATH ?? usual.find((path) => existsSync(path));

/** For `skip`: why tests in a browser do not run, or `false`. */
export const noChromium = executablePath === undefined ? 'there is no CHROMIUM_PATH, and Chromium is not installed' : false;

const quiet = [
  '--no-sandbox', // which it cannot have as root
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A Chromium without a window, with a folder of its own; ended with the test file. */
export async function startBrowser(): Promise<Browser> {
  if (executablePath === undefined) throw new Error(String(noChromium));
  const browser = await chromium.launch({ executablePath, headless: true, args: quiet, timeout: 60_000 });
  after(() => browser.close());
  return browser;
}
