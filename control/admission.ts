import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import type { Clock } from '../src/core/clock.ts';
import { LanewiseError } from '../src/core/errors.ts';
import type { TokenResult } from '../src/runtime/store/request-store.ts';
import { networkOf } from '../src/runtime/addresses/canonical-address.ts';
import { identify } from './auth.ts';
import type { Budget } from './budget.ts';
import type { CredentialStore } from './credentials.ts';
import type { ControlEnv } from './env.ts';

/**
 * Who asks, and whether they may ask now. Everybody with a known token pays from that token's bucket, wherever they
 * are. Who has none pays from the bucket of their address, and once that is empty, a token from there is not even
 * looked at: a guess that is right must not be answered differently from one that is wrong. Callers who have been at
 * that address with their token before are spared, so that a neighbour's broken client can't keep an operator from a
 * rollback.
 */
export function admit(credentials: CredentialStore, budget: Budget, clock: Clock) {
  /** Address → until when its bucket is known to be empty. */
  const exhausted = new RecentMap<number>();
  /** Address and name of a token that was used there. */
  const regulars = new RecentMap<true>();

  return createMiddleware<ControlEnv>(async (c, next) => {
    const address = networkOf(remoteAddressOf(c));
    const found = identify(c, credentials);
    const known = found instanceof LanewiseError ? undefined : `${address} ${found.name}`;
    const isGuessing = (exhausted.get(address) ?? -Infinity) > clock.monotonic();
    const isTrusted = known !== undefined && (!isGuessing || regulars.get(known) === true);

    const bucket =
      isTrusted && !(found instanceof LanewiseError) ? `token:${found.name}` : `address:${address}`;
    const taken = await budget.take(bucket);
    if (taken !== undefined) setHeaders(c, budget, taken);
    if (taken?.allowed === false) {
      if (!isTrusted) exhausted.set(address, clock.monotonic() + taken.retryAfterMs);
      throw rateLimited(
        budget,
        taken,
        isTrusted ? 'this token' : 'requests from this address without a known token',
      );
    }
    if (found instanceof LanewiseError) throw found;
    if (known !== undefined) regulars.set(known, true);
    c.set('credential', found);
    await next();
  });
}

function setHeaders(c: Context, { rate }: Budget, { remaining, fullAt }: TokenResult): void {
  c.header('X-RateLimit-Limit', String(rate.perMinute));
  c.header('X-RateLimit-Remaining', String(remaining));
  c.header('X-RateLimit-Reset', String(Math.ceil(fullAt / 1000)));
}

function rateLimited({ rate }: Budget, { retryAfterMs }: TokenResult, whose: string): LanewiseError {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  return new LanewiseError('RATE_LIMITED', `Too many requests; try again in ${seconds} s`, {
    retryAfterSeconds: seconds,
    details: {
      rate_limit: `at most ${rate.perMinute} requests a minute, and ${rate.burst} at once, are taken for ${whose}`,
    },
  });
}

/** Of the connection. Headers that say otherwise are anybody's to write. */
function remoteAddressOf(c: Context): string {
  const { incoming } = (c.env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  return incoming?.socket?.remoteAddress ?? 'unknown';
}

/** Strangers decide what is remembered, so only so much is. */
const REMEMBERED_MAX = 10_000;

class RecentMap<V> {
  readonly #entries = new Map<string, V>();

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}
