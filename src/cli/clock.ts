import type { Registry } from 'prom-client';
import type { Clock } from '../core/clock.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { computedGauge } from '../runtime/metrics/computed.ts';
import { startStoreClock } from '../runtime/store-clock.ts';
import type { Store } from '../runtime/store/store.ts';

export interface PlaneClock extends Clock {
  /** Of how far the machine's clock is off, where the store has a clock of its own. */
  addMetric(registry: Registry): void;
}

/** The clock that the planes go by: the store's where several machines share it, else the machine's. */
export async function openClock(
  opened: AsyncDisposableStack,
  store: Store,
  log: Logger,
): Promise<PlaneClock> {
  if (store.kind === 'embedded') return { ...systemClock, addMetric() {} };
  const clock = await startStoreClock({ base: systemClock, readTime: () => store.readTime(), log });
  opened.defer(() => clock.stop());
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    addMetric(registry) {
      computedGauge(
        registry,
        'lanewise_clock_offset_seconds',
        "How far the clock of this machine is ahead of the store's; absent until the store has told.",
        () => {
          const offset = clock.offset();
          return offset === undefined ? [] : [{ labels: {}, value: offset / 1000 }];
        },
      );
    },
  };
}
