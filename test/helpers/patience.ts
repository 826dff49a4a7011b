import { vi } from 'vitest';

/**
 * For tests that start processes. How long those take is the machine's business, which may have other work to do, so
 * nothing here is a measurement: who runs into one of these bounds has found something that hangs.
 */

/** For conditions outside of this process. */
export const PATIENCE = { timeout: 60_000, interval: 10 } as const;

/** From the start of a process, or a signal, to what it prints. */
export const PRINT_MS_MAX = 60_000;

/** One call of the API. */
export const CALL_MS_MAX = 30_000;

/** Of the files that import this. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

/** Resolves when that has become true. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitUntil(condition, PATIENCE);
}
