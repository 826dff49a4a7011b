import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readPage, ROOT, sectionOf, tableRows } from './pages.ts';

const PAGE = readPage('docs/dependencies.md');
const PACKAGE = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
  'dependencies' | 'devDependencies' | 'peerDependencies',
  Readonly<Record<string, string>>
>;

/** What is said of each: for, why, size, release. */
function rowsOf(heading: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    tableRows(sectionOf(PAGE, heading)).map(([name, ...said]) => [name!.replaceAll('`', ''), said]),
  );
}

test.each([
  ['dependencies', '## At run time'],
  ['devDependencies', '## For building and testing'],
] as const)('docs/dependencies.md has all %s and no others, each with its reasons', (kind, heading) => {
  const rows = rowsOf(heading);
  expect([...rows.keys()].toSorted()).toEqual(Object.keys(PACKAGE[kind]).toSorted());
  for (const [name, [what, why, size, release]] of rows) {
    expect([name, what, why]).not.toContain('');
    expect([name, size]).toEqual([name, expect.stringMatching(/^[\d.]+ [KM]iB$/)]);
    expect([name, release]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+, \d{4}-\d\d-\d\d$/)]);
  }
});

test('and what may be installed beside it', () => {
  for (const name of Object.keys(PACKAGE.peerDependencies)) expect(PAGE).toContain(`\`${name}\``);
});
