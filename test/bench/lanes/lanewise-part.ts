import type { RoutingStrategy } from '../../../src/core/deployment.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { openRedisStore } from '../../../src/runtime/store/redis/redis-store.ts';
import { Rig } from '../../helpers/rig.ts';
import { answerQuestions } from '../part-process.ts';
import { CANARY_PERCENT, CONCURRENCY_OF, QUEUE } from './job.ts';
import type { WorkerUrls } from './worker-part.ts';

/** A proxy: beside the producers, beside the workers, or with the embedded store both. */

export interface LanewiseStart {
  readonly strategy: RoutingStrategy;
  /** Absent: the embedded store. */
  readonly redisUrl?: string;
  readonly consumes: boolean;
}

let rig: Rig;

answerQuestions({
  async start({ strategy, redisUrl, consumes }: LanewiseStart) {
    const settings = {
      LANEWISE_DEFAULT_ROUTING_STRATEGY: strategy,
      LANEWISE_LANES_CONSUME: String(consumes),
    };
    const log = createLog('silent');
    const store =
      redisUrl === undefined ? {} : { store: openRedisStore({ url: redisUrl, clock: systemClock, log }) };
    rig = await Rig.start({ ...store, settings });
    return rig.dispatchUrl;
  },
  async deploy(strategy: RoutingStrategy) {
    await rig.setPercentage(await rig.createDeployment({ strategy, queue: QUEUE }), CANARY_PERCENT);
  },
  async register({ stable, canary }: WorkerUrls) {
    const { stable: ofStable, canary: ofCanary } = CONCURRENCY_OF;
    await rig.register({ id: 'w1', url: stable, version: 'v1', queues: [QUEUE], maxConcurrency: ofStable });
    await rig.register({ id: 'w2', url: canary, version: 'v2', queues: [QUEUE], maxConcurrency: ofCanary });
  },
});
