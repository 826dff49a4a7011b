import { expect, test } from 'vitest';
import { readApiDocument } from './api-document.ts';
import { apiPage, withApiTable } from './api-markdown.ts';
import { readPage } from './pages.ts';

test('docs/api.md is what `npm run docs:api` makes of the OpenAPI document', async () => {
  expect(readPage('docs/api.md')).toBe(await apiPage(await readApiDocument()));
});

test("the README's table of endpoints is, too", async () => {
  const readme = readPage('README.md');
  expect(readme).toBe(await withApiTable(readme, await readApiDocument()));
});
