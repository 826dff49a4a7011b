import { format, resolveConfig } from 'prettier';
import { runAsMarkdown } from '../bench/run-markdown.ts';
import type { BenchRun } from '../bench/run.ts';
import { readPage, ROOT } from './pages.ts';

/** `docs/performance.md` with the run of `npm run bench` that is kept beside it. `npm run docs:api` writes it. */

const BEGIN = '<!-- run:begin -->';
const END = '<!-- run:end -->';

export async function performancePage(): Promise<string> {
  const page = readPage('docs/performance.md');
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error('docs/performance.md has lost its markers');
  const run = JSON.parse(readPage('docs/performance-run.json')) as BenchRun;
  const text = `${page.slice(0, begin + BEGIN.length)}\n\n${runAsMarkdown(run)}\n\n${page.slice(end)}`;
  return format(text, { ...(await resolveConfig(`${ROOT}/docs/performance.md`)), parser: 'markdown' });
}
