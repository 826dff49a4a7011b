import type { Config } from '../../config/load.ts';
import { laneQueueOf } from '../../config/lane-queues.ts';
import { IntakeRouter, type IntakeRouterOptions } from './intake-router.ts';

export interface IntakeRoutingOptions extends Omit<IntakeRouterOptions, 'paths'> {
  readonly config: Pick<Config, 'queues'>;
}

export interface IntakeRouting {
  close(): Promise<void>;
}

/** Begins to route every intake of the configuration, which also names its queue's strategy. */
export function startIntakeRouting({ config, ...options }: IntakeRoutingOptions): IntakeRouting {
  const { queues } = config;
  const routers = Object.entries(queues).flatMap(([name, { routing_strategy, intake }]) => {
    const queue = routing_strategy && laneQueueOf(queues, name, routing_strategy);
    if (intake === undefined || queue === undefined) return [];
    const paths = { jobId: intake.job_id, stickyKey: intake.sticky_key };
    return [new IntakeRouter(queue, { ...options, paths })];
  });
  return {
    async close() {
      await Promise.all(routers.map((router) => router.stop()));
    },
  };
}
