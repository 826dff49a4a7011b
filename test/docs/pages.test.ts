import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { CLIENT_VARIABLES } from '../../config/client-variables.ts';
import { CONFIG_KEYS } from '../../config/load.ts';
import { anchorsOf, PAGES, readPage, ROOT } from './pages.ts';

test.each(PAGES)('the links of %s lead somewhere', (path) => {
  const page = readPage(path);
  const links = [...page.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  const broken = links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? path : relative(ROOT, join(ROOT, dirname(path), file));
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !anchorsOf(readPage(target)).has(anchor);
  });
  expect(broken).toEqual([]);
});

test('every page of docs/ can be reached from the README', () => {
  const readme = readPage('README.md');
  const missing = PAGES.filter((path) => path !== 'README.md' && !readme.includes(`(${path})`));
  expect(missing).toEqual([]);
});

test.each([...PAGES, 'Dockerfile'])('%s names no variable that the configuration does not know', (path) => {
  const known = new Set<string>([
    ...CLIENT_VARIABLES,
    ...CONFIG_KEYS.flatMap(({ variable }) => [variable, `${variable}_FILE`]),
  ]);
  const named = readPage(path).match(/\bLANEWISE_[A-Z_]+/g) ?? [];
  expect(named.filter((name) => !known.has(name) && name !== 'LANEWISE_')).toEqual([]);
});
