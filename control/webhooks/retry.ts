/** When a delivery that failed is tried again, if at all. Pure. */

const SECOND = 1000;
const HOUR = 3_600_000;

/** A receiver that restarts is back by then. */
const FIRST_DELAY_MS = 5 * SECOND;
/** An operator who mends a receiver does not wait for longer. */
const LONGEST_DELAY_MS = HOUR;
/** A night and a day; who was away for longer reads the events. */
const AGE_MS_MAX = 24 * HOUR;

export interface FailedAttempt {
  /** How often it was taken from the outbox, this time included. */
  readonly attempt: number;
  /** Since the event. */
  readonly ageMs: number;
  /** What the receiver asked for. */
  readonly retryAfterMs?: number;
}

export type Retry = { readonly kind: 'again'; readonly delayMs: number } | { readonly kind: 'give up' };

/**
 * Twice the delay after each attempt, 5 s to 1 h, of which the second half is left to chance, so that what failed
 * together does not come back together.
 *
 * Not every notice that was taken was also tried (an instance stopped, a webhook had too much to do), so the delay is no
 * longer than the notice is old either: a few seconds after the event nobody should have to wait for minutes.
 * @param random from 0 to 1
 */
export function retryAfterFailure(
  { attempt, ageMs, retryAfterMs = 0 }: FailedAttempt,
  random: number,
): Retry {
  if (ageMs >= AGE_MS_MAX) return { kind: 'give up' };
  const doubled = FIRST_DELAY_MS * 2 ** (attempt - 1);
  const delayMs = Math.min(doubled, Math.max(FIRST_DELAY_MS, ageMs), LONGEST_DELAY_MS);
  const jittered = Math.round(delayMs * (0.5 + random / 2));
  return { kind: 'again', delayMs: Math.max(jittered, Math.min(retryAfterMs, LONGEST_DELAY_MS)) };
}

/**
 * The header of RFC 9110, section 10.2.3: seconds, or a date.
 * @returns milliseconds from `now`; undefined if it says nothing
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const at = /^\d+$/.test(header) ? now + Number(header) * SECOND : Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
