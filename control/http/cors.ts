import { cors } from 'hono/cors';

/** For how long a browser need not ask again. */
const PREFLIGHT_MAX_AGE_SECONDS = 600;

/** Lets web pages of exactly these origins call the API. Tokens are headers, so browsers send none by themselves. */
export function allowOrigins(origins: readonly string[]) {
  return cors({
    origin: [...origins],
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    allowHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'If-Match',
      'X-API-Key',
      'X-Request-Id',
    ],
    exposeHeaders: [
      'ETag',
      'Idempotency-Replayed',
      'Retry-After',
      'X-RateLimit-Limit',
      'X-RateLimit-Remaining',
      'X-RateLimit-Reset',
      'X-Request-Id',
    ],
    maxAge: PREFLIGHT_MAX_AGE_SECONDS,
  });
}
