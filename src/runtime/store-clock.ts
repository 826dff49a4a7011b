import type { Clock } from '../core/clock.ts';
import type { Logger } from './log.ts';
import { startPeriodic } from './periodic.ts';

/**
 * The clock of the store, as far as this process can tell. What several processes write and compare (when a worker was
 * seen, when a deployment began) must be of one clock, or one machine whose clock is an hour ahead takes every worker for
 * silent and every deployment for overdue. So where the machine's clock is far from the store's, the store's counts; and
 * between two looks at it, time goes on by the monotonic clock, which nobody sets.
 */
export interface StoreClock extends Clock {
  /** Milliseconds by which the machine's clock is ahead of the store's; undefined until it is known. */
  offset(): number | undefined;
  stop(): Promise<void>;
}

export interface StoreClockOptions {
  readonly base: Clock;
  /** Milliseconds since the epoch, by the store's clock. */
  readonly readTime: () => Promise<number>;
  readonly log: Logger;
  readonly everyMs?: number;
}

/** Less is what synchronised clocks and a busy network come to; it changes nothing that anybody would notice. */
export const OFFSET_MS_MAX = 2_000;

const LOOK_EVERY_MS = 10_000;

interface Anchor {
  readonly time: number;
  /** On the monotonic clock. */
  readonly at: number;
}

/** Resolves after the first look, also where that failed; goes on looking until it is stopped. */
export async function startStoreClock(options: StoreClockOptions): Promise<StoreClock> {
  const { base, readTime, log, everyMs = LOOK_EVERY_MS } = options;
  let anchor: Anchor | undefined;
  let isOff = false;

  const storeTime = ({ time, at }: Anchor): number => time + base.monotonic() - at;
  const offset = (): number | undefined =>
    anchor === undefined ? undefined : base.now() - storeTime(anchor);

  const look = async (): Promise<void> => {
    const asked = base.monotonic();
    let time;
    try {
      time = await readTime();
    } catch (error) {
      log.debug({ err: error }, "the store's clock could not be read");
      return;
    }
    const answered = base.monotonic();
    // An answer that took that long says too little about now.
    if (answered - asked > OFFSET_MS_MAX / 2) return;
    anchor = { time, at: (asked + answered) / 2 };
    say(base.now() - storeTime(anchor));
  };

  const say = (ms: number): void => {
    const seconds = Math.round(Math.abs(ms) / 1000);
    if (Math.abs(ms) > OFFSET_MS_MAX && !isOff) {
      isOff = true;
      log.warn(
        { offset_seconds: Math.round(ms / 1000) },
        `the clock of this machine is ${seconds} s ${ms > 0 ? 'ahead of' : 'behind'} the store's, which counts; set the clock that is wrong`,
      );
    } else if (Math.abs(ms) <= OFFSET_MS_MAX && isOff) {
      isOff = false;
      log.info("the clock of this machine agrees with the store's again");
    }
  };

  await look();
  const rounds = startPeriodic(() => everyMs, look);
  return {
    monotonic: () => base.monotonic(),
    now() {
      const machine = base.now();
      if (anchor === undefined) return machine;
      const store = storeTime(anchor);
      return Math.abs(machine - store) > OFFSET_MS_MAX ? Math.round(store) : machine;
    },
    offset,
    stop: () => rounds.stop(),
  };
}
