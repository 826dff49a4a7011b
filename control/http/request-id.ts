import { randomUUID } from 'node:crypto';
import { createMiddleware } from 'hono/factory';
import { withLogFields } from '../../src/runtime/log.ts';

/** Anything else could break a log apart, or fill it. */
const SANE_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * Gives every request an id, the caller's own where it has one that is fit for a log, and puts it into the answer and
 * into each line that is logged on the way.
 */
export const requestId = createMiddleware(async (c, next) => {
  const given = c.req.header('x-request-id');
  const id = given !== undefined && SANE_ID.test(given) ? given : randomUUID();
  c.header('X-Request-Id', id);
  await withLogFields({ request_id: id }, next);
});
