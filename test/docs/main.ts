import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readApiDocument } from './api-document.ts';
import { apiPage, withApiTable } from './api-markdown.ts';
import { withCommands } from './cli-markdown.ts';
import { CLIENT_TYPES_PATH, clientTypes } from './client-types.ts';
import { readPage, ROOT } from './pages.ts';

/**
 * Writes anew what is made from the OpenAPI document (`docs/api.md`, the README's table, the client's types), and from
 * the command line.
 */

const document = await readApiDocument();
await writeFile(join(ROOT, 'docs/api.md'), await apiPage(document));
await writeFile(join(ROOT, 'README.md'), await withApiTable(readPage('README.md'), document));
await writeFile(join(ROOT, CLIENT_TYPES_PATH), await clientTypes(document));
await writeFile(join(ROOT, 'docs/cli.md'), await withCommands(readPage('docs/cli.md')));
