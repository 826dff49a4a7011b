import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../config/load.ts';
import { startControl } from '../../../src/cli/control.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { openRedisStore } from '../../../src/runtime/store/redis/redis-store.ts';
import { answerQuestions } from '../part-process.ts';

/** A whole control plane, with its judge and all that it does by itself. */

export interface ControlStart {
  readonly redisUrl: string;
  readonly token: string;
}

answerQuestions({
  /** @returns its url */
  async start({ redisUrl, token }: ControlStart) {
    const { config } = loadConfig({
      environment: {
        REDIS_URL: redisUrl,
        LANEWISE_DATA_DIR: await mkdtemp(join(tmpdir(), 'lanewise-bench-')),
        LANEWISE_CONTROL_PORT: '0',
        LANEWISE_TOKENS: `bench:admin:${token}`,
        LANEWISE_RATE_LIMIT_PER_MINUTE: '0',
        LANEWISE_MAX_ACTIVE_DEPLOYMENTS: '20000',
        // Nobody probes the workers, which are only records here.
        LANEWISE_WORKER_TIMEOUT: '24h',
        LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring',
      },
      readFile: () => '',
    });
    const log = createLog('silent');
    const store = openRedisStore({ url: redisUrl, clock: systemClock, log });
    return (await startControl(config, store, systemClock, log)).url;
  },
});
