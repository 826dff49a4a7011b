import { EventEmitter } from 'node:events';
import type { Clock } from '../../../core/clock.ts';
import type { Lane } from '../../../core/lane.ts';
import { RECOVERY_MEMORY_MS } from '../lane-store.ts';

/**
 * What the lanes keep in memory, since it ends with the process that owns the file: who lives, who waits, and which jobs
 * were taken from whom.
 */
export interface LaneHands {
  /** A lease of 0 ends it. */
  renew(consumer: string, leaseMs: number): void;
  /** Whoever is not known here was a consumer of an earlier process. */
  isAlive(consumer: string): boolean;
  rememberRecovery(consumer: string, receipt: string): void;
  wasRecovered(consumer: string, receipt: string): boolean;
  /** Jobs have come. To be called once they are stored. */
  wake(queue: string, lane: Lane): void;
  /** Resolves when jobs come to the lane, when the store closes, or `signal` aborts. */
  untilWoken(queue: string, lane: Lane, signal: AbortSignal): Promise<void>;
  close(): void;
}

export function createLaneHands(clock: Clock): LaneHands {
  const leases = new Map<string, number>();
  /** Oldest first. */
  const recovered = new Map<string, number>();
  const bells = new EventEmitter().setMaxListeners(0);

  return {
    renew(consumer, leaseMs) {
      if (leaseMs <= 0) leases.delete(consumer);
      else leases.set(consumer, clock.monotonic() + leaseMs);
    },
    isAlive(consumer) {
      const end = leases.get(consumer);
      if (end !== undefined && end <= clock.monotonic()) leases.delete(consumer);
      return leases.has(consumer);
    },
    rememberRecovery(consumer, receipt) {
      const now = clock.monotonic();
      for (const [key, at] of recovered) {
        if (at > now - RECOVERY_MEMORY_MS) break;
        recovered.delete(key);
      }
      recovered.set(`${consumer} ${receipt}`, now);
    },
    wasRecovered: (consumer, receipt) => recovered.has(`${consumer} ${receipt}`),
    wake: (queue, lane) => void bells.emit(bellOf(queue, lane)),
    async untilWoken(queue, lane, signal) {
      if (signal.aborted) return;
      const woken = Promise.withResolvers<void>();
      const stop = (): void => woken.resolve();
      bells.once(bellOf(queue, lane), stop);
      signal.addEventListener('abort', stop);
      await woken.promise;
      bells.off(bellOf(queue, lane), stop);
      signal.removeEventListener('abort', stop);
    },
    close() {
      for (const bell of bells.eventNames()) bells.emit(bell);
    },
  };
}

function bellOf(queue: string, lane: Lane): string {
  return `${lane} ${queue}`;
}
