import { describe, expect, test } from 'vitest';
import { OUTCOME_INDEX, outcomeOfAnswer, OUTCOMES } from '../../src/core/outcome.ts';

describe('the outcome of an answer', () => {
  test.each([200, 201, 202, 204, 206, 299, 300, 301, 304, 399])('%i is a success', (status) => {
    expect(outcomeOfAnswer(status, false)).toBe('success');
    expect(outcomeOfAnswer(status, true)).toBe('success');
  });

  test.each([400, 401, 404, 408, 409, 422, 428, 430, 499, 500, 501, 502, 504, 599])(
    '%i is a failure, with Retry-After too',
    (status) => {
      expect(outcomeOfAnswer(status, false)).toBe('failure');
      expect(outcomeOfAnswer(status, true)).toBe('failure');
    },
  );

  test('429 is a rejection', () => {
    expect(outcomeOfAnswer(429, false)).toBe('rejected');
    expect(outcomeOfAnswer(429, true)).toBe('rejected');
  });

  test('503 is a rejection with Retry-After and a failure without', () => {
    expect(outcomeOfAnswer(503, true)).toBe('rejected');
    expect(outcomeOfAnswer(503, false)).toBe('failure');
  });
});

test('each outcome has the place in the counter arrays that it has in the list', () => {
  expect(OUTCOMES.map((outcome) => OUTCOME_INDEX[outcome])).toEqual([...OUTCOMES.keys()]);
});
