import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFencedOff, raiseFence } from '../../src/core/lane-fence.ts';

const heads = fc.record({
  epoch: fc.constantFrom('0192f0c1-a', '0192f0c1-b', '0192f0c2-a'),
  revision: fc.nat({ max: 5 }),
});

describe('a fence', () => {
  it('refuses earlier revisions of its epoch and everything of an older one', () => {
    const fence = { epoch: 'b', revision: 7 };
    const refused = [
      { epoch: 'a', revision: 99 },
      { epoch: 'b', revision: 6 },
      { epoch: 'b', revision: 7 },
      { epoch: 'c', revision: 1 },
    ].map((routedBy) => isFencedOff(fence, routedBy));
    expect(refused).toEqual([true, true, false, false]);
    expect(isFencedOff(undefined, { epoch: 'a', revision: 0 })).toBe(false);
  });

  it('never refuses whoever raised it', () => {
    fc.assert(
      fc.property(heads, heads, (before, head) => {
        const fence = raiseFence(before, head);
        if (fence === head) expect(isFencedOff(fence, head)).toBe(false);
        else expect(fence).toMatchObject({ epoch: head.epoch });
      }),
    );
  });

  it('only grows within an epoch', () => {
    fc.assert(
      fc.property(heads, heads, (before, next) => {
        const fence = raiseFence(before, next);
        expect(fence.epoch).toBe(next.epoch);
        if (before.epoch === next.epoch)
          expect(fence.revision).toBe(Math.max(before.revision, next.revision));
      }),
    );
  });
});
