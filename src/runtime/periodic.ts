import { setTimeout as sleep } from 'node:timers/promises';

/** Work that is done again and again until it is stopped, never two rounds at once. */
export interface Periodic {
  /** Resolves when the round that is under way has ended. */
  stop(): Promise<void>;
}

/**
 * @param everyMs from the end of one round to the beginning of the next; asked anew each time, for jitter
 * @param work must see to its own errors
 */
export function startPeriodic(everyMs: () => number, work: () => Promise<void>): Periodic {
  const stopped = new AbortController();
  const run = async (): Promise<void> => {
    while (await pause(everyMs(), stopped.signal)) await work();
  };
  const running = run();
  return {
    async stop() {
      stopped.abort();
      await running;
    },
  };
}

/** Does not keep the process alive. @returns whether to go on: false if `signal` was aborted */
export async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal, ref: false });
  } catch {
    return false;
  }
  return !signal.aborted;
}
