import type { Clock } from '../src/core/clock.ts';
import type { Deployment } from '../src/core/deployment.ts';
import type { LanesTotals } from '../src/core/lane-totals.ts';
import type { Store } from '../src/runtime/store/store.ts';
import { BUCKET_MS } from '../src/runtime/store/telemetry-store.ts';

/**
 * How a deployment did over time: its telemetry cut into steps of equal length. They lie on multiples of that length
 * since the epoch, so that whoever asks again for the latest few can put them behind those that they have.
 */
export interface HistoryPoint {
  /** The end of the step, milliseconds since the epoch. */
  readonly at: number;
  readonly lanes: LanesTotals;
}

export interface History {
  /**
   * @param windowMs how far back, from now or from when it was completed; never before it began
   * @param stepMs a whole number of buckets
   * @returns oldest first; the step that is still filling is left out
   */
  read(deployment: Deployment, windowMs: number, stepMs: number): Promise<readonly HistoryPoint[]>;
}

/** Each is a read of its own. */
export const HISTORY_POINTS_MAX = 120;

/** The finest step at which a window has no more points than are answered. */
export function finestStep(windowMs: number): number {
  return BUCKET_MS * Math.max(1, Math.ceil(windowMs / BUCKET_MS / HISTORY_POINTS_MAX));
}

export function createHistory(store: Pick<Store, 'readTelemetry'>, clock: Clock): History {
  return {
    async read({ id, startTime, completedAt }, windowMs, stepMs) {
      const now = clock.now();
      const end = completedAt ?? now;
      // An ended deployment's last jobs count too: the step in which it ended is over.
      const last = completedAt === undefined ? Math.floor(end / stepMs) : Math.ceil(end / stepMs);
      const first = Math.max(Math.floor(startTime / stepMs) + 1, last - Math.ceil(windowMs / stepMs) + 1);
      const ends = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * stepMs);
      return Promise.all(
        ends
          .filter((at) => at <= now)
          .map(async (at) => {
            // The window ends with the bucket before this moment, counted from the one that fills now.
            const agoMs = (Math.floor(now / BUCKET_MS) + 1) * BUCKET_MS - at;
            return { at, lanes: await store.readTelemetry(id, stepMs, agoMs) };
          }),
      );
    },
  };
}
