import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRetryAfter, retryAfterFailure } from '../../../control/webhooks/retry.ts';

const SECOND = 1000;
const HOUR = 3_600_000;

/** The delays of a receiver that never answers, with the longest or the shortest jitter. */
function delays(random: number): readonly number[] {
  const result: number[] = [];
  for (let attempt = 1, ageMs = 0; ; attempt++) {
    const retry = retryAfterFailure({ attempt, ageMs }, random);
    if (retry.kind === 'give up') return result;
    result.push(retry.delayMs);
    ageMs += retry.delayMs;
  }
}

test('delays double from 5 s to an hour, until a day has passed', () => {
  const all = delays(1);
  expect(all.slice(0, 4)).toEqual([5, 5, 10, 20].map((s) => s * SECOND));
  expect(all.slice(-10)).toEqual(Array(10).fill(HOUR));
  const sum = all.reduce((a, b) => a + b);
  expect(sum).toBeGreaterThanOrEqual(24 * HOUR);
  expect(sum).toBeLessThan(25 * HOUR);
});

test('chance takes off up to a half', () => {
  expect(retryAfterFailure({ attempt: 3, ageMs: HOUR }, 0)).toEqual({ kind: 'again', delayMs: 10 * SECOND });
  expect(retryAfterFailure({ attempt: 3, ageMs: HOUR }, 0.5)).toEqual({
    kind: 'again',
    delayMs: 15 * SECOND,
  });
});

// Being taken does not mean being tried: the one that never had a chance must not wait for an hour.
test('the delay is no longer than the notice is old', () => {
  expect(retryAfterFailure({ attempt: 50, ageMs: 30 * SECOND }, 1)).toEqual({
    kind: 'again',
    delayMs: 30 * SECOND,
  });
});

test('what the receiver asks for is heeded, up to an hour', () => {
  const after = (retryAfterMs: number) => retryAfterFailure({ attempt: 1, ageMs: 0, retryAfterMs }, 1);
  expect(after(1)).toEqual({ kind: 'again', delayMs: 5 * SECOND });
  expect(after(90 * SECOND)).toEqual({ kind: 'again', delayMs: 90 * SECOND });
  expect(after(24 * HOUR)).toEqual({ kind: 'again', delayMs: HOUR });
});

test('whatever the attempt, the age and the chance, a delay is from 2.5 s to an hour', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100_000 }),
      fc.integer({ min: -HOUR, max: 24 * HOUR - 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, ageMs, random) => {
        const retry = retryAfterFailure({ attempt, ageMs }, random);
        expect(retry.kind).toBe('again');
        if (retry.kind === 'again') {
          expect(retry.delayMs).toBeGreaterThanOrEqual(2.5 * SECOND);
          expect(retry.delayMs).toBeLessThanOrEqual(HOUR);
        }
      },
    ),
  );
});

test.each([
  ['120', 120 * SECOND],
  ['0', 0],
  ['Sun, 14 Sep 2025 12:46:00 GMT', 60 * SECOND],
  ['Sun, 14 Sep 2025 12:00:00 GMT', 0],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After: %s', (header, ms) => {
  expect(parseRetryAfter(header, Date.parse('2025-09-14T12:45:00Z'))).toBe(ms);
});
