import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DASHBOARD_DIRECTORY } from '../../dashboard-files.ts';

/** Builds the dashboard into `dist/dashboard`: one page, one script, one style sheet, all of them ours to serve. */

const ROOT = join(import.meta.dirname, '..');
const PROJECT = join(ROOT, '../..');

/** What a build is made from. */
const SOURCES = [
  ROOT,
  join(PROJECT, 'src/client'),
  join(PROJECT, 'src/core'),
  join(PROJECT, 'package-lock.json'),
];

/** Whether nothing has changed since the last build. */
export async function isUpToDate(directory = DASHBOARD_DIRECTORY): Promise<boolean> {
  const built = await changedAt(join(directory, 'index.html')).catch(() => undefined);
  return built !== undefined && Math.max(...(await Promise.all(SOURCES.map(latestIn)))) < built;
}

async function latestIn(path: string): Promise<number> {
  const own = await changedAt(path);
  if (!(await stat(path)).isDirectory()) return own;
  const entries = await readdir(path, { recursive: true });
  return Math.max(own, ...(await Promise.all(entries.map((entry) => changedAt(join(path, entry))))));
}

async function changedAt(path: string): Promise<number> {
  return (await stat(path)).mtimeMs;
}

/** Beside the old one first: whoever starts meanwhile finds a whole dashboard. */
export async function buildDashboard(directory = DASHBOARD_DIRECTORY): Promise<void> {
  // Not needed where nothing is to be built.
  const { build } = await import('vite');
  const fresh = `${directory}.${randomUUID()}`;
  try {
    await build({
      root: ROOT,
      configFile: false,
      // A reverse proxy may serve it under a prefix.
      base: './',
      logLevel: 'warn',
      publicDir: false,
      oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
      build: {
        outDir: fresh,
        emptyOutDir: true,
        target: 'es2022',
        // The policy of the page takes no `data:` but for pictures, and there is one script to load.
        assetsInlineLimit: 0,
        cssCodeSplit: false,
        modulePreload: false,
        reportCompressedSize: false,
      },
    });
    await mkdir(directory, { recursive: true });
    await rm(directory, { recursive: true });
    await rename(fresh, directory);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}
