import type { Context, Hono } from 'hono';
import { LanewiseError } from '../../src/core/errors.ts';
import type { ControlEnv } from '../env.ts';
import { errorResponse } from './errors.ts';

/** The answer where no route is: 405 with `Allow` if the path is known under another method, else 404. */
export function answerUnrouted(app: Pick<Hono<ControlEnv>, 'routes'>, c: Context): Response {
  const { method, path } = c.req;
  const allowed = allowedMethods(app.routes, path);
  if (allowed.length === 0) {
    return errorResponse(
      c,
      new LanewiseError('NOT_FOUND', `There is nothing at ${path}`, {
        details: { path: 'is not an endpoint; paths end without a slash' },
      }),
    );
  }
  const list = allowed.join(', ');
  c.header('Allow', list);
  return errorResponse(
    c,
    new LanewiseError('METHOD_NOT_ALLOWED', `${method} is not possible on ${path}`, {
      details: { method: `must be one of ${list}, got ${method}` },
    }),
  );
}

interface Endpoint {
  readonly method: string;
  readonly path: string;
}

/** Middleware stands under `ALL` and wildcards; neither is an endpoint. */
function allowedMethods(endpoints: readonly Endpoint[], path: string): readonly string[] {
  const methods = new Set<string>();
  for (const endpoint of endpoints) {
    if (endpoint.method === 'ALL' || !matches(endpoint.path, path)) continue;
    methods.add(endpoint.method);
    if (endpoint.method === 'GET') methods.add('HEAD');
  }
  return [...methods];
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => (part.startsWith(':') ? given[i] !== '' : part === given[i]))
  );
}
