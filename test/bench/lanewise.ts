import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError, createClient } from '../../src/client/index.ts';
import { MEMORY_ENVIRONMENT } from '../helpers/memory-environment.ts';
import { startRedis } from '../helpers/redis.ts';
import type { Lanes } from './nginx.ts';
import { Program, temporaryDirectory } from './program.ts';

/**
 * Ours as it is installed: `lanewise proxy` from `dist`, in a process of its own, over a real Redis. The control plane
 * that set it up is ended before anything is measured: proxies go on alone, and the machine has few cores.
 */

const MAIN = join(import.meta.dirname, '../../dist/src/cli/main.js');

export const QUEUE = 'jobs';

const VERSIONS = [
  ['stable', 'v1.2.0'],
  ['canary', 'v1.3.0'],
] as const;

/** What the control plane allows. */
const QUEUES_OF_WORKER = 1000;

const ATTEMPTS_MAX = 5;

/** For as long as the measurement's own control plane runs. */
const TOKEN = randomUUID();

export interface Lanewise {
  readonly program: Program;
  readonly url: string;
  /** Of the admin listener. */
  readonly adminUrl: string;
}

/** @param queues each with a deployment at 10 %, served by all of the workers; more than one are `jobs-0`, `jobs-1`, … */
export async function startLanewise(
  opened: AsyncDisposableStack,
  lanes: Lanes,
  queueCount = 1,
  profileDir?: string,
): Promise<Lanewise> {
  const redis = opened.use(await startRedis());
  const environment = {
    ...process.env,
    ...MEMORY_ENVIRONMENT,
    REDIS_URL: redis.url,
    LANEWISE_DATA_DIR: await temporaryDirectory(opened),
    LANEWISE_CONTROL_PORT: '0',
    LANEWISE_PROXY_PORT: '0',
    LANEWISE_ADMIN_PORT: '0',
    LANEWISE_TOKENS: `bench:admin:${TOKEN}`,
    LANEWISE_RATE_LIMIT_PER_MINUTE: '0',
    LANEWISE_MAX_ACTIVE_DEPLOYMENTS: String(queueCount + 1),
    // The figures are the proxy's; the judge has nothing to do here.
    LANEWISE_JUDGE_INTERVAL: '1m',
    // Nobody sends heartbeats for them.
    LANEWISE_WORKER_TIMEOUT: '24h',
  };
  await setUp(lanes, queuesOf(queueCount), environment);
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  const program = opened.use(new Program(process.execPath, [...profiling, MAIN, 'proxy'], environment));
  const [, url, adminUrl] = await program.printed(
    /proxy on (http:\S+)\/dispatch\/\{queue\}, admin on (http:\S+)/,
  );
  return { program, url: url!, adminUrl: adminUrl! };
}

function queuesOf(count: number): readonly string[] {
  return count === 1 ? [QUEUE] : Array.from({ length: count }, (_, i) => `${QUEUE}-${i}`);
}

async function setUp(lanes: Lanes, queues: readonly string[], environment: NodeJS.ProcessEnv): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const control = opened.use(new Program(process.execPath, [MAIN, 'control'], environment));
  const [, url] = await control.printed(/control plane on (http:\S+)\n/);
  const client = createClient({ url: url!, token: TOKEN, timeoutMs: 60_000 });
  for (const [lane, version] of VERSIONS) {
    await inTurns(registrationsOf(lanes[lane], queues), ({ url: worker, queues: some }, i) =>
      client.registerWorker({ body: { id: `${lane}-${i}`, version, lane, queues: some, url: worker } }),
    );
  }
  await inTurns(queues, (queue) =>
    insist(() =>
      client.createDeployment({
        body: {
          queue_name: queue,
          stable_version: VERSIONS[0][1],
          canary_version: VERSIONS[1][1],
          routing_strategy: 'hash_ring',
          initial_percentage: 10,
        },
      }),
    ),
  );
}

/** Ten thousand of them keep a small machine busy enough to let Redis wait now and then. */
async function insist(create: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await create();
      return;
    } catch (error) {
      const code = error instanceof ApiError ? error.code : undefined;
      // The attempt before was done, though nobody could say so.
      if (code === 'DEPLOYMENT_EXISTS' && attempt > 1) return;
      if (code !== 'STORE_UNAVAILABLE' || attempt === ATTEMPTS_MAX) throw error;
      await delay(attempt * 1000);
    }
  }
}

/** A worker serves so many queues; for more of them there are more workers at the same address. */
function registrationsOf(
  urls: readonly string[],
  queues: readonly string[],
): readonly { readonly url: string; readonly queues: string[] }[] {
  const parts = Array.from({ length: Math.ceil(queues.length / QUEUES_OF_WORKER) }, (_, i) =>
    queues.slice(i * QUEUES_OF_WORKER, (i + 1) * QUEUES_OF_WORKER),
  );
  return urls.flatMap((url) => parts.map((part) => ({ url, queues: part })));
}

/** Some at a time. */
async function inTurns<T>(items: readonly T[], act: (item: T, i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const turn = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) await act(items[i]!, i);
  };
  await Promise.all(Array.from({ length: 4 }, turn));
}
