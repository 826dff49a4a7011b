import { createHash, randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { z } from 'zod';
import { LanewiseError } from '../../src/core/errors.ts';
import type { Logger } from '../../src/runtime/log.ts';
import type { RequestClaim, RequestStore } from '../../src/runtime/store/request-store.ts';
import type { ControlEnv } from '../env.ts';
import { bodyBytes } from './body.ts';
import { quote, requestError } from './problems.ts';

/**
 * `Idempotency-Key` on POST: a client that got no answer sends the request again with the same key, and gets the answer
 * of the first time; nothing is done twice. The key is the caller's (a credential's), for one method and path. One of
 * all who send it at once claims it in the store; the others are told to ask again, on whichever instance they are.
 * Answers that say "not now" (429 and all above 499) are not kept: asking again is what they ask for.
 */

const TTL_MS = 24 * 3_600_000;

/** Longer than any call takes: two seconds for each of a few calls of the store, one for the proxies. */
const LEASE_MS = 60_000;

/** What the answer to a duplicate that came too early says. */
const RETRY_AFTER_SECONDS = 1;

const KEY = /^[\x21-\x7e]{1,255}$/;

/** Headers of the answer itself; those of the exchange (request id, rate limit) are the second one's own. */
const KEPT_HEADERS = ['Content-Type', 'ETag', 'Allow'] as const;

const keptSchema = z.object({
  status: z.int().min(200).max(499),
  headers: z.record(z.string(), z.string()),
  body: z.string().nullable(),
});
type KeptAnswer = z.infer<typeof keptSchema>;

export function idempotency(store: RequestStore, log: Logger) {
  return createMiddleware<ControlEnv>(async (c, next) => {
    const key = c.req.method === 'POST' ? c.req.header('idempotency-key') : undefined;
    if (key === undefined) return next();
    if (!KEY.test(key)) {
      throw requestError({
        'Idempotency-Key': `must be 1 to 255 visible ASCII characters without spaces, got ${quote(key)}`,
      });
    }
    const claim = await claimOf(c, key);
    const result = await store.claimRequest(claim, LEASE_MS);
    if (result.kind !== 'claimed' && result.fingerprint !== claim.fingerprint) {
      throw requestError({
        'Idempotency-Key':
          'was sent before with another body, query or If-Match; a request of its own needs a key of its own',
      });
    }
    switch (result.kind) {
      case 'claimed':
        await next();
        return settle(store, log, claim, c);
      case 'running':
        throw new LanewiseError(
          'REQUEST_IN_PROGRESS',
          'The request with this key has not been answered yet',
          {
            retryAfterSeconds: RETRY_AFTER_SECONDS,
            details: {
              'Idempotency-Key': 'belongs to a request that is under way; ask again for its answer',
            },
          },
        );
      case 'answered':
        return replay(c, result.answer);
      default:
        return result satisfies never;
    }
  });
}

async function claimOf(c: Context<ControlEnv>, key: string): Promise<RequestClaim> {
  const { method, url } = c.req;
  const { pathname, search } = new URL(url);
  return {
    key: hashOf(c.get('credential').name, method, pathname, key),
    fingerprint: hashOf(search, c.req.header('if-match') ?? '', await bodyBytes(c)),
    owner: randomUUID(),
  };
}

/** Of all parts, each with its length, so that no two lists of parts run together alike. */
function hashOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)} `).update(part);
  return hash.digest('base64url');
}

async function settle(store: RequestStore, log: Logger, claim: RequestClaim, c: Context): Promise<void> {
  try {
    if (c.res.status >= 500 || c.res.status === 429) await store.releaseRequest(claim);
    else await store.keepAnswer(claim, JSON.stringify(await keptFrom(c.res)), TTL_MS);
  } catch (error) {
    // What was done is done, and its answer is on the way; only a second one would not be the same.
    log.warn({ err: error }, 'an answer could not be kept for its idempotency key');
  }
}

async function keptFrom(response: Response): Promise<KeptAnswer> {
  const headers: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = response.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  const body = response.body === null ? null : await response.clone().text();
  return { status: response.status, headers, body };
}

function replay(c: Context, answer: string): Response {
  const { status, headers, body } = keptSchema.parse(JSON.parse(answer));
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  c.header('Idempotency-Replayed', 'true');
  return c.newResponse(body, status as 200);
}
