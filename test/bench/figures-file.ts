import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { ROOT } from '../docs/pages.ts';

/**
 * Figures that were measured lie in `docs/figures`, and the pages that show them are made from there: between two marks, so
 * that nobody edits a number by hand. Tests compare the two.
 */
const BEGIN = (name: string): string => `<!-- figures: made from docs/figures/${name}.json -->`;
const END = '<!-- figures: end -->';

export function figuresPath(name: string): string {
  return join(ROOT, `docs/figures/${name}.json`);
}

export async function readFigures<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(figuresPath(name), 'utf8')) as T;
}

/** How a page is made from figures. */
export interface Rendering<T> {
  readonly page: string;
  readonly render: (figures: T) => string;
}

/** @returns the page with its figures put in, formatted */
export async function withFigures<T>(name: string, { page, render }: Rendering<T>): Promise<string> {
  const path = join(ROOT, page);
  const text = await readFile(path, 'utf8');
  const from = text.indexOf(BEGIN(name));
  const to = text.indexOf(END, from);
  if (from === -1 || to === -1) throw new Error(`${page} has no ${BEGIN(name)} … ${END}`);
  const figures = render(await readFigures<T>(name));
  const made = `${text.slice(0, from)}${BEGIN(name)}\n\n${figures}\n\n${text.slice(to)}`;
  return format(made, { ...(await resolveConfig(path)), parser: 'markdown' });
}

export async function writeFigures<T>(name: string, figures: T, rendering: Rendering<T>): Promise<void> {
  const path = figuresPath(name);
  await mkdir(join(ROOT, 'docs/figures'), { recursive: true });
  const json = JSON.stringify(figures, (_, value: unknown) =>
    typeof value === 'number' ? rounded(value) : value,
  );
  await writeFile(path, await format(json, { ...(await resolveConfig(path)), parser: 'json' }));
  await writeFile(join(ROOT, rendering.page), await withFigures(name, rendering));
}

/** More digits than these are noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
