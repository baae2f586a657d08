import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

const sdk = fileURLToPath(import.meta.resolve('@openfeature/web-sdk'));
const provider = fileURLToPath(import.meta.resolve('@openfeature/ofrep-web-provider'));
/** What a package finds under that name: its folder holds the form for browsers too. */
const besides = (path: string, name: string): string => dirname(createRequire(path).resolve(name));

/** The modules for browsers, as their packages have them: each is one file. */
const modules: Record<string, string> = {
  '@openfeature/core': join(besides(sdk, '@openfeature/core'), '../esm/index.js'),
  '@openfeature/web-sdk': join(dirname(sdk), '../esm/index.js'),
  '@openfeature/ofrep-core': join(besides(provider, '@openfeature/ofrep-core'), 'index.esm.js'),
  '@openfeature/ofrep-web-provider': join(dirname(provider), 'index.esm.js'),
};

const importMap = { imports: Object.fromEntries(Object.keys(modules).map((name) => [name, `/${name}`])) };

const html = `<!doctype html>
<title>A shop</title>
<script type="importmap">${JSON.stringify(importMap)}</script>
<script type="module">
  import { OpenFeature } from '@openfeature/web-sdk';
  import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
  const { baseUrl, key, user, ...options } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  globalThis.changes = [];
  globalThis.client = OpenFeature.getClient();
  client.addHandler('PROVIDER_CONFIGURATION_CHANGED', ({ flagsChanged }) => changes.push(flagsChanged));
  await OpenFeature.setContext({ targetingKey: user, plan: 'premium' });
  const provider = new OFREPWebProvider({ baseUrl, headers: [['X-API-Key', key]], cacheMode: 'disabled', ...options });
  await OpenFeature.setProviderAndWait(provider).then(() => (document.title = 'ready'), (error) => (document.title = String(error)));
</script>`;

/** What a page gives the provider. */
export interface PageOptions {
  readonly baseUrl: string;
  readonly key: string;
  readonly user: string;
  readonly pollInterval?: number;
  readonly changeDetection?: 'sse' | 'polling';
}

/** A server of pages that use OpenFeature's SDK for browsers as it is published, without a bundler. */
export async function servePages(): Promise<{ origin: string; urlOf(options: PageOptions): string }> {
  const server = createServer((request, response) => {
    const path = modules[request.url!.slice(1)];
    if (path === undefined) response.setHeader('content-type', 'text/html').end(html);
    else void readFile(path).then((text) => response.setHeader('content-type', 'text/javascript').end(text));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, urlOf: (options) => `${origin}/#${encodeURIComponent(JSON.stringify(options))}` };
}
