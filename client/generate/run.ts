import { writeFile } from 'node:fs/promises';
import { apiDocument } from '../../test/support/api-document.ts';
import { type Described, typesOf } from './types.ts';

/** Writes the client's types anew. To be run where a route or a schema was changed; a test says so. */
const document: unknown = await apiDocument();
await writeFile(new URL('../src/api.ts', import.meta.url), typesOf(document as Described));
