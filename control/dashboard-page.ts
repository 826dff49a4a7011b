import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { DashboardFile, DashboardFiles } from './dashboard-files.ts';
import type { ControlEnv } from './env.ts';
import { pageHeaders } from './http/browser-headers.ts';

/** `/`: the dashboard's files. Its places are behind the `#`, so the server has no routes for them. */

const NOT_BUILT = `The dashboard is not there: it has not been built.

In a checkout, \`npm run build:dashboard\` builds it (\`npm start\` does that by itself); start Lanewise again after that.
The API does not need it: see /docs.
`;

/** A year: as long as caches keep anything. */
const FOREVER = 'public, max-age=31536000, immutable';

export function addDashboard(app: OpenAPIHono<ControlEnv>, files: DashboardFiles | undefined): void {
  if (files === undefined) {
    app.get('/', (c) => c.text(NOT_BUILT, 404, { 'Cache-Control': 'no-cache' }));
    return;
  }
  for (const [path, file] of files) app.get(path, (c) => answer(c, file));
}

function answer(c: Context, file: DashboardFile): Response {
  const { type, etag, isImmutable, bytes, gzipped } = file;
  const headers = {
    ...pageHeaders(type, isImmutable ? FOREVER : 'no-cache'),
    ETag: etag,
    ...(gzipped !== undefined && { Vary: 'Accept-Encoding' }),
  };
  if (isKnown(c.req.header('if-none-match'), etag)) return c.body(null, 304, headers);
  const isGzip =
    gzipped !== undefined && /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\b)/i.test(c.req.header('accept-encoding') ?? '');
  if (!isGzip) return c.body(bytes, 200, headers);
  return c.body(gzipped, 200, { ...headers, 'Content-Encoding': 'gzip' });
}

/** RFC 9110, section 13.1.2: weak comparison. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = new Set(ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, '')));
  return tags.has(etag) || tags.has('*');
}
