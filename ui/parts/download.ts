import type { Client } from '../api/client.ts';
import { unreachable } from '../api/failure.ts';

/** Asks for a file with the key, which no link could carry, and hands it to the browser to keep. */
export async function download(client: Client, path: string, name: string): Promise<void> {
  const answer = await client.ask('GET', path, { headers: { accept: 'text/csv' } });
  const file = await answer.blob().catch(() => {
    throw unreachable(); // it broke off
  });
  const address = URL.createObjectURL(file);
  followLink(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Follows a link that answers a file: the page stays where it is. */
export function followLink(address: string, name = ''): void {
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
}
