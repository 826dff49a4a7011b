import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The longest begins first, and all others run beside it. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLongest = ({ moduleId }: TestSpecification): boolean => moduleId.includes('/test/faults/');
    // oxlint-disable-next-line unicorn/no-array-sort -- it is the sequencer's own, not an array's
    const sorted = await super.sort(files);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
  }
}

export default defineConfig({
  test: {
    dir: import.meta.dirname,
    include: ['**/*.test.ts'],
    globalSetup: [`${import.meta.dirname}/helpers/built-dashboard.ts`],
    // Two cores: a third worker would only make the process tests wait for each other.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // In CI, where a machine may be far busier than any of ours; the report names what needed its second chance.
    retry: process.env['CI'] === undefined ? 0 : 1,
    // No measurements: who runs into these hangs. The longest test takes a few seconds on a machine of its own.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
