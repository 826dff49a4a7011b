import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The README and the pages of `docs/` as text, and the parts of them that tests look at. */

export const ROOT = join(import.meta.dirname, '../..');

/** Paths from the root. */
export const PAGES: readonly string[] = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

export function readPage(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** From a heading to the next one of its level or above. */
export function sectionOf(page: string, heading: string): string {
  const start = page.indexOf(`${heading}\n`);
  if (start === -1) throw new Error(`there is no heading "${heading}"`);
  const level = /^#+/.exec(heading)![0].length;
  const rest = page.slice(start + heading.length);
  const end = new RegExp(`^#{1,${level}} `, 'm').exec(rest)?.index;
  return end === undefined ? rest : rest.slice(0, end);
}

export function shellBlocks(page: string): readonly string[] {
  return [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, code]) => code!);
}

/** The rows of all tables whose first cell is code, with the backticks taken off that cell. */
export function tableRows(page: string): readonly (readonly string[])[] {
  return [...page.matchAll(/^\| `([^`]+)`\s*\|(.*)\|$/gm)].map(([, first, rest]) => [
    first!,
    ...rest!.split('|').map((cell) => cell.trim()),
  ]);
}

/** As GitHub makes them of headings. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const headings = page.replaceAll(/^```.*?^```$/gms, '').matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, text]) =>
      text!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
