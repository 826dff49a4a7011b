import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withFigures, type Rendering } from '../bench/figures-file.ts';
import { renderControl } from '../bench/control/markdown.ts';
import { renderJudgeTick } from '../bench/judge-tick-figures.ts';
import { renderLanes } from '../bench/lanes/markdown.ts';
import { renderRun } from '../bench/run-markdown.ts';
import { readPage, ROOT } from './pages.ts';

const RENDERINGS: Readonly<Record<string, Rendering<never>>> = {
  'control-plane.json': renderControl,
  'dispatch.json': renderRun,
  'judge-tick.json': renderJudgeTick,
  'lanes.json': renderLanes,
};

test.each(readdirSync(join(ROOT, 'docs/figures')))('docs/figures/%s is what its page shows', async (file) => {
  const rendering = RENDERINGS[file]!;
  expect(readPage(rendering.page)).toBe(await withFigures(file.replace('.json', ''), rendering));
});
