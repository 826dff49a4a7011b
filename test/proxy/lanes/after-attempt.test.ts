import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  afterAttempt,
  backoff,
  countedAttempt,
  REJECTED_MS_MAX,
  RETRY_AFTER_MS_MIN,
  retryAfterMs,
  type AttemptEnd,
  type Decision,
} from '../../../proxy/lanes/after-attempt.ts';
import type { JobAttempt } from '../../../src/core/queue-job.ts';

const POLICY = { max_attempts: 3, retry_delay: 1_000, retry_delay_max: 60_000 };
const NOW = 1_700_000_000_000;
const FACTS = { now: NOW, version: 'v2', worker: 'w-1' };
const ENDED = { at: NOW, version: 'v2', worker: 'w-1' };
const half = (): number => 0.5;

interface Tried {
  readonly attempt: number;
  readonly history: readonly JobAttempt[];
}

const FIRST: Tried = { attempt: 1, history: [] };
const LAST: Tried = { attempt: 3, history: [] };
/** Two failures, and rejections in between. */
const REJECTED: Tried = {
  attempt: 7,
  history: [{ at: 1, version: 'v2', outcome: 'rejected', uncounted: 4, rejectedSince: NOW - 5_000 }],
};

const broken = { kind: 'failure', message: 'the worker broke off: reset' } as const;
const refused = { kind: 'failure', status: 500, message: 'boom' } as const;
const timeout = { kind: 'timeout', message: 'no answer within 5 ms' } as const;
const rejected = { kind: 'rejected', status: 429, retryAfterMs: 2_000, message: '' } as const;

const TABLE: readonly [what: string, end: AttemptEnd, job: Tried, decision: Decision][] = [
  ['success', { kind: 'success' }, LAST, { kind: 'acknowledge' }],
  ['nobody takes connections', { kind: 'unreachable' }, LAST, { kind: 'give_back' }],
  [
    'a first failure',
    refused,
    FIRST,
    { kind: 'retry', delayMs: 500, ended: { ...ENDED, outcome: 'failure', status: 500, message: 'boom' } },
  ],
  [
    'a second one',
    timeout,
    { attempt: 2, history: [] },
    { kind: 'retry', delayMs: 1_000, ended: { ...ENDED, outcome: 'timeout', message: timeout.message } },
  ],
  [
    'the last failure',
    refused,
    LAST,
    {
      kind: 'bury',
      reason: 'the last of 3 attempts ended in a failure: status 500',
      ended: { ...ENDED, outcome: 'failure', status: 500, message: 'boom' },
    },
  ],
  [
    'the last one, broken off',
    broken,
    LAST,
    {
      kind: 'bury',
      reason: 'the last of 3 attempts ended in a failure: the worker broke off: reset',
      ended: { ...ENDED, outcome: 'failure', message: broken.message },
    },
  ],
  [
    'the last one after rejections',
    timeout,
    REJECTED,
    {
      kind: 'bury',
      reason: 'the last of 3 attempts ended in a time-out',
      ended: { ...ENDED, outcome: 'timeout', message: timeout.message },
    },
  ],
  [
    'one before the last after rejections, which are not forgotten',
    timeout,
    { ...REJECTED, attempt: 6 },
    {
      kind: 'retry',
      delayMs: 1_000,
      ended: { ...ENDED, outcome: 'timeout', message: timeout.message, uncounted: 4 },
    },
  ],
  [
    'a rejection with no attempt left',
    rejected,
    LAST,
    {
      kind: 'retry',
      delayMs: 2_100,
      ended: { ...ENDED, outcome: 'rejected', status: 429, message: '', uncounted: 1, rejectedSince: NOW },
    },
  ],
  [
    'one more rejection, without a time',
    { ...rejected, retryAfterMs: undefined },
    REJECTED,
    {
      kind: 'retry',
      delayMs: 8_000,
      ended: {
        ...ENDED,
        outcome: 'rejected',
        status: 429,
        message: '',
        uncounted: 5,
        rejectedSince: NOW - 5_000,
      },
    },
  ],
  [
    'a rejection after a day of them',
    rejected,
    {
      attempt: 90,
      history: [
        {
          at: 1,
          version: 'v2',
          outcome: 'rejected',
          uncounted: 88,
          rejectedSince: NOW - REJECTED_MS_MAX,
        },
      ],
    },
    {
      kind: 'bury',
      reason: 'the workers have turned it away for 24 hours',
      ended: { ...ENDED, outcome: 'rejected', status: 429, message: '' },
    },
  ],
  [
    'nobody is there',
    { kind: 'nobody', message: 'no usable worker' },
    LAST,
    {
      kind: 'retry',
      delayMs: 500,
      ended: { ...ENDED, outcome: 'unreachable', message: 'no usable worker', uncounted: 1 },
    },
  ],
  [
    'the proxy stops',
    { kind: 'aborted', message: 'stopped' },
    LAST,
    { kind: 'retry', delayMs: 0, ended: { ...ENDED, outcome: 'aborted', message: 'stopped', uncounted: 1 } },
  ],
  [
    'it can not be sent',
    { kind: 'invalid', message: 'invalid header' },
    FIRST,
    {
      kind: 'bury',
      reason: "it can't be sent to a worker: invalid header",
      ended: { ...ENDED, outcome: 'failure', message: 'invalid header' },
    },
  ],
];

test.each(TABLE)('what becomes of a job after %s', (_what, end, job, decision) => {
  expect(afterAttempt(end, job, FACTS, POLICY, half)).toEqual(decision);
});

/** The jobs' story as the store writes it down, with its history cut. */
function play(ends: readonly AttemptEnd[], policy: typeof POLICY): { counted: number; isDead: boolean } {
  let job: Tried = FIRST;
  let counted = 0;
  for (const end of ends) {
    if (end.kind === 'failure' || end.kind === 'timeout') counted++;
    const decision = afterAttempt(end, job, FACTS, policy, half);
    if (decision.kind === 'bury') return { counted, isDead: true };
    if (decision.kind === 'retry')
      job = { attempt: job.attempt + 1, history: [...job.history, decision.ended].slice(-20) };
  }
  return { counted, isDead: false };
}

const anEnd: fc.Arbitrary<AttemptEnd> = fc.constantFrom<AttemptEnd[]>(
  refused,
  timeout,
  rejected,
  { kind: 'nobody', message: '' },
  { kind: 'aborted', message: '' },
  { kind: 'unreachable' },
);

describe('a job', () => {
  it('dies at exactly the failure that is one too many, whatever else happens in between', () => {
    fc.assert(
      fc.property(
        fc.array(anEnd, { maxLength: 200, size: 'max' }),
        fc.integer({ min: 1, max: 40 }),
        (ends, max) => {
          const { counted, isDead } = play(ends, { ...POLICY, max_attempts: max });
          expect(counted).toBeLessThanOrEqual(max);
          expect(isDead).toBe(counted === max);
        },
      ),
    );
  });

  it('that was lost with its consumer has had an attempt, of which its history knows nothing', () => {
    expect(countedAttempt({ ...REJECTED, attempt: 8 })).toBe(4);
  });

  it('that was buried and is requeued begins anew', () => {
    const decision = afterAttempt(timeout, REJECTED, FACTS, POLICY, half);
    const history = decision.kind === 'bury' ? [...REJECTED.history, decision.ended] : [];
    expect(countedAttempt({ attempt: 1, history })).toBe(1);
  });
});

describe('the delay before the next attempt', () => {
  it('is anything between nothing and what it has doubled to, up to the most', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (n, r) => {
          const most = Math.min(60_000, 1_000 * 2 ** (n - 1));
          expect(backoff(n, POLICY, () => r)).toBeCloseTo(most * r);
        },
      ),
    );
  });

  it('after Retry-After is at least that, and never a loop', () => {
    const delayOf = (ms: number): number => {
      const decision = afterAttempt({ ...rejected, retryAfterMs: ms }, FIRST, FACTS, POLICY, () => 0);
      return decision.kind === 'retry' ? decision.delayMs : NaN;
    };
    expect([0, 5_000, 1e12].map(delayOf)).toEqual([RETRY_AFTER_MS_MIN, 5_000, REJECTED_MS_MAX]);
  });

  it('is read from seconds or a date', () => {
    expect(retryAfterMs('120', NOW)).toBe(120_000);
    expect(retryAfterMs(new Date(NOW + 9_000).toUTCString(), NOW)).toBe(9_000);
    expect(retryAfterMs(new Date(NOW - 9_000).toUTCString(), NOW)).toBe(0);
    expect(retryAfterMs('soon', NOW)).toBeUndefined();
  });
});
