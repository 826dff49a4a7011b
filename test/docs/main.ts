import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readApiDocument } from './api-document.ts';
import { apiPage, withApiTable } from './api-markdown.ts';
import { readPage, ROOT } from './pages.ts';

/** Writes `docs/api.md` and the README's table of endpoints anew. */

const document = await readApiDocument();
await writeFile(join(ROOT, 'docs/api.md'), await apiPage(document));
await writeFile(join(ROOT, 'README.md'), await withApiTable(readPage('README.md'), document));
