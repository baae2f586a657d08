import { writeFile } from 'node:fs/promises';
import { apiDocument } from './api-document.ts';

/** Writes the OpenAPI document to the file named on the command line. */
await writeFile(process.argv[2]!, JSON.stringify(await apiDocument(), null, 2));
