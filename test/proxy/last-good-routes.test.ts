import { expect, test } from 'vitest';
import { pauseAfterSaving } from '../../proxy/last-good-routes.ts';

const MIB = 1_048_576;

test.each([
  [500, 1000],
  [MIB / 4, 1000],
  [MIB, 2000],
  [5 * MIB, 10_000],
  [100 * MIB, 30_000],
])('routes of %s bytes are written again no sooner than after %s ms', (bytes, ms) => {
  expect(pauseAfterSaving(bytes, 1000)).toBe(ms);
});
