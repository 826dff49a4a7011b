/** How a dispatch ended; the same words in metrics, events, logs and the judge. */
export const OUTCOMES = ['success', 'failure', 'timeout', 'unreachable', 'rejected', 'aborted'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Place of each outcome in the counter arrays. */
export const OUTCOME_INDEX: Readonly<Record<Outcome, number>> = {
  success: 0,
  failure: 1,
  timeout: 2,
  unreachable: 3,
  rejected: 4,
  aborted: 5,
};

/**
 * The outcome that a worker's final answer stands for. A worker that says "not now" (429, or 503 with
 * `Retry-After`) has rejected the job; it did not fail at it.
 */
export function outcomeOfAnswer(status: number, hasRetryAfter: boolean): Outcome {
  if (status < 400) return 'success';
  if (status === 429 || (status === 503 && hasRetryAfter)) return 'rejected';
  return 'failure';
}
