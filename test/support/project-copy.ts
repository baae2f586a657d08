import { cp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * These files and folders of the project in another folder, where they can be changed and built. The packages are there by a
 * link; what was built of the client is not.
 */
export async function copyProject(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names)
    await cp(join(root, name), join(folder, name), { recursive: true, filter: (path) => !path.includes('client/dist') });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
}
