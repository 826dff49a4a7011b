import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { RunningList } from '../../proxy/running-list.ts';
import type { Running } from '../../proxy/running.ts';

function runningOf(): Running {
  return { place: -1, turn: -1 } as Running;
}

test('what is under way is what has come and not gone, the newest first, in whatever order they go', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(20)), { maxLength: 60 }), (steps) => {
      const list = new RunningList();
      const expected: Running[] = [];
      for (const leaver of steps) {
        if (leaver === null) {
          const one = runningOf();
          list.add(one);
          expected.unshift(one);
        } else if (expected.length > 0) {
          const [gone] = expected.splice(leaver % expected.length, 1);
          list.delete(gone!);
          // It ends once; nobody else is to lose its place if it is said twice.
          list.delete(gone!);
        }
        expect(list.size).toBe(expected.length);
        const now = list.newestFirst();
        expect(now.every((one, i) => one === expected[i])).toBe(true);
      }
    }),
  );
});
