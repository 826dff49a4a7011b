import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/**
 * The built dashboard, in memory: a few files of together some hundred kilobytes. Read once, so that a build that is
 * replaced under a running process leaves it with a whole one.
 */
export interface DashboardFile {
  readonly type: string;
  /** Quoted, as it goes into the header. */
  readonly etag: string;
  /** Its name tells its content, so it never changes. */
  readonly isImmutable: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Undefined where it would not be smaller. */
  readonly gzipped: Uint8Array<ArrayBuffer> | undefined;
}

/** By path: `/` and what lies beside it. */
export type DashboardFiles = ReadonlyMap<string, DashboardFile>;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Where a build puts it: beside the compiled sources, and beside `control/` in a checkout. */
export const DASHBOARD_DIRECTORY = import.meta.filename.endsWith('.ts')
  ? join(import.meta.dirname, '../dist/dashboard')
  : join(import.meta.dirname, '../dashboard');

/** @returns undefined if it has not been built */
export async function readDashboard(directory = DASHBOARD_DIRECTORY): Promise<DashboardFiles | undefined> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, DashboardFile>();
  for (const entry of entries) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name).slice(directory.length);
    files.set(path === '/index.html' ? '/' : path, await readOne(directory + path, type));
  }
  return files.has('/') ? files : undefined;
}

const compress = promisify(gzip);

async function readOne(path: string, type: string): Promise<DashboardFile> {
  const bytes = new Uint8Array(await readFile(path));
  const gzipped = new Uint8Array(await compress(bytes, { level: 9 }));
  return {
    type,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    isImmutable: path.includes('/assets/'),
    bytes,
    gzipped: gzipped.length < bytes.length ? gzipped : undefined,
  };
}
