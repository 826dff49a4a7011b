import { expect, test } from 'vitest';
import { readApiDocument } from './api-document.ts';
import { apiPage, withApiTable } from './api-markdown.ts';
import { CLIENT_TYPES_PATH, clientTypes } from './client-types.ts';
import { readPage } from './pages.ts';

test('docs/api.md is what `npm run docs:api` makes of the OpenAPI document', async () => {
  expect(readPage('docs/api.md')).toBe(await apiPage(await readApiDocument()));
});

test("the README's table of endpoints is, too", async () => {
  const readme = readPage('README.md');
  expect(readme).toBe(await withApiTable(readme, await readApiDocument()));
});

test("the client's types are, too", async () => {
  expect(readPage(CLIENT_TYPES_PATH)).toBe(await clientTypes(await readApiDocument()));
});
