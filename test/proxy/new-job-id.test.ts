import { expect, it } from 'vitest';
import { version } from 'uuid';
import { newJobId } from '../../proxy/new-job-id.ts';

it('a new job id is a UUID v7 of now, and never the same again', () => {
  const before = Date.now();
  const ids = Array.from({ length: 10_000 }, newJobId);
  const after = Date.now();
  expect(new Set(ids).size).toBe(ids.length);
  // The random half alone: a pool that was read twice would show here.
  expect(new Set(ids.map((id) => id.slice(-12))).size).toBeGreaterThan(ids.length - 5);
  for (const id of ids) {
    expect(version(id)).toBe(7);
    const made = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
    expect(made).toBeGreaterThanOrEqual(before);
    expect(made).toBeLessThanOrEqual(after);
  }
});
