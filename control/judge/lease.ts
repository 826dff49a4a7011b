import type { Clock } from '../../src/core/clock.ts';
import type { Logger } from '../../src/runtime/log.ts';
import { startPeriodic } from '../../src/runtime/periodic.ts';
import type { JudgeStore } from '../../src/runtime/store/judge-store.ts';

/**
 * The right to judge, held by one instance of the control plane at a time. It is renewed well within its time; an
 * instance that was frozen or cut off finds it expired by its own monotonic clock before it acts, and what it still
 * sends is refused by the store, which knows the fence of the present holder.
 */
export interface JudgeLease {
  /** The fence while the lease is held, as far as this instance can know. */
  fence(): number | undefined;
  /** Takes it, or extends it; never rejects. */
  claim(): Promise<void>;
  /** Gives it up, so that another need not wait. */
  release(): Promise<void>;
}

export interface RunningJudgeLease extends JudgeLease {
  stop(): Promise<void>;
}

export interface JudgeLeaseOptions {
  readonly store: Pick<JudgeStore, 'claimJudgeLease' | 'releaseJudgeLease'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Unique to this instance. */
  readonly holder: string;
}

/** With a claim every 750 ms, another instance has the lease at most four seconds after the holder is gone. */
const TTL_MS = 3000;
const CLAIM_EVERY_MS = 750;

/** Claims by itself. */
export function startJudgeLease(options: JudgeLeaseOptions): RunningJudgeLease {
  const lease = createJudgeLease(options);
  const rounds = startPeriodic(
    () => CLAIM_EVERY_MS,
    () => lease.claim(),
  );
  return {
    ...lease,
    async stop() {
      await rounds.stop();
      await lease.release();
    },
  };
}

export function createJudgeLease({ store, clock, log, holder }: JudgeLeaseOptions): JudgeLease {
  let held: { readonly fence: number; readonly until: number } | undefined;
  return {
    fence: () => (held !== undefined && clock.monotonic() < held.until ? held.fence : undefined),
    async claim() {
      // The store counts from when it hears of it, which is later.
      const until = clock.monotonic() + TTL_MS;
      try {
        const fence = await store.claimJudgeLease(holder, TTL_MS);
        if (fence !== held?.fence) {
          log.info({ fence }, fence === undefined ? 'another instance judges' : 'this instance judges');
        }
        held = fence === undefined ? undefined : { fence, until };
      } catch (error) {
        log.debug({ err: error }, 'the lease of the judge could not be claimed');
      }
    },
    async release() {
      if (held === undefined) return;
      held = undefined;
      await store.releaseJudgeLease(holder).catch((error: unknown) => {
        log.debug({ err: error }, 'the lease of the judge runs out by itself');
      });
    },
  };
}
