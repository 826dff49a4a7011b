import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    dir: import.meta.dirname,
    include: ['**/*.test.ts'],
    // The fault suite has a command of its own, `npm run test:faults`.
    exclude: process.env['FAULTS_SECONDS'] === undefined ? ['faults/**'] : [],
    globalSetup: [`${import.meta.dirname}/helpers/built-dashboard.ts`],
    // Two cores: a third worker would only make the process tests wait for each other.
    maxWorkers: 2,
    // In CI, where a machine may be far busier than any of ours; the report names what needed its second chance.
    retry: process.env['CI'] === undefined ? 0 : 1,
    // No measurements: who runs into these hangs. The longest test takes a few seconds on a machine of its own.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
