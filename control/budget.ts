import { LanewiseError } from '../src/core/errors.ts';
import type { RequestStore, TokenRate, TokenResult } from '../src/runtime/store/request-store.ts';

/**
 * How many requests a caller has left. The store keeps the count; while it does not answer, nothing is limited: calls
 * that need it say so themselves, and those that do not shall be answered.
 */
export interface Budget {
  readonly rate: TokenRate;
  /** @returns undefined where the store could not say */
  take(bucket: string): Promise<TokenResult | undefined>;
}

/** A store in good health answers within a few milliseconds. */
const TAKE_TIMEOUT_MS = 250;

/** After a failure the store is left alone for so long, so that an outage does not slow every request down. */
const REST_MS = 1_000;

interface BudgetClock {
  monotonic(): number;
}

export function createBudget(
  store: Pick<RequestStore, 'takeToken'>,
  clock: BudgetClock,
  rate: TokenRate,
): Budget {
  let restUntil = -Infinity;
  return {
    rate,
    async take(bucket) {
      if (clock.monotonic() < restUntil) return undefined;
      const { promise: late, resolve } = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => resolve(undefined), TAKE_TIMEOUT_MS);
      try {
        const taken = await Promise.race([store.takeToken(bucket, rate), late]);
        if (taken === undefined) restUntil = clock.monotonic() + REST_MS;
        return taken;
      } catch (error) {
        if (!(error instanceof LanewiseError && error.code === 'STORE_UNAVAILABLE')) throw error;
        restUntil = clock.monotonic() + REST_MS;
        return undefined;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
