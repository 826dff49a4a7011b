import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent } from 'undici';
import { temporaryDirectory, type Environment } from '../helpers/process.ts';
import { FLEET_TOKEN } from '../helpers/system.ts';
import { startControlMember, startProxyMember, type ControlMember, type ProxyMember } from './member.ts';
import { mustComeToPass } from './patience.ts';
import { RedisGroup } from './redis-group.ts';
import { Relay } from './relay.ts';
import { WorkerProcess } from './worker-process.ts';

/** Everything that runs: as in production, but for the wires. */

export const QUEUES = { direct: 'direct', lists: 'lists', streams: 'streams' } as const;
export const VERSIONS = ['v-even', 'v-odd'] as const;
const PROXIES = 3;
const CONTROLS = 2;
const WORKERS = 6;

export interface SceneWorker {
  readonly name: string;
  readonly version: string;
  readonly process: WorkerProcess;
  /** By which all proxies reach it. */
  readonly wire: Relay;
}

export interface Scene {
  readonly redis: RedisGroup;
  readonly controls: readonly ControlMember[];
  readonly proxies: readonly ProxyMember[];
  readonly workers: readonly SceneWorker[];
}

const LANES = { retry_delay: '100ms', retry_delay_max: '1s', max_attempts: 100 };

const SETTINGS: Environment = {
  LANEWISE_LANES_LEASE: '4s',
  // The only one that there is: a master that it has left accepts nothing more.
  LANEWISE_LANES_REPLICAS_ACKNOWLEDGED: '1',
  LANEWISE_WORKER_TIMEOUT: '20s',
  LANEWISE_EJECTION_TIME: '2s',
  LANEWISE_QUEUES: JSON.stringify({
    [QUEUES.direct]: { routing_strategy: 'hash_ring' },
    [QUEUES.lists]: { routing_strategy: 'split_queue', ...LANES },
    [QUEUES.streams]: { routing_strategy: 'stream_group', ...LANES },
  }),
};

export async function startScene(
  stack: AsyncDisposableStack,
  hung: (name: string, printed: string) => void,
): Promise<Scene> {
  const redis = await RedisGroup.start(stack);
  const directory = await temporaryDirectory(stack);
  const agent = new Agent({ connections: 256, headersTimeout: 0, bodyTimeout: 0 });
  stack.defer(() => agent.destroy());
  const options = { stack, redis, directory, settings: SETTINGS, agent, hung };

  const controls = await Promise.all(
    Array.from({ length: CONTROLS }, (_, i) => startControlMember({ ...options, name: `control-${i}` })),
  );
  const proxies = await Promise.all(
    Array.from({ length: PROXIES }, (_, i) => startProxyMember({ ...options, name: `proxy-${i}` })),
  );
  // A plain load balancer in front of the control planes, for workers: to each connection another one first.
  let turn = 0;
  const balancer = stack.use(
    await Relay.start({
      targets: () => {
        const ports = controls.map(({ process }) => Number(new URL(process.api.url).port));
        const first = turn++ % ports.length;
        return [...ports.slice(first), ...ports.slice(0, first)];
      },
    }),
  );
  const ledgers = join(directory, 'ledgers');
  await mkdir(ledgers);
  const workers = await Promise.all(
    Array.from({ length: WORKERS }, async (_, i): Promise<SceneWorker> => {
      const name = `worker-${i}`;
      const version = VERSIONS[i % VERSIONS.length]!;
      const wire: Relay = stack.use(
        await Relay.start({ targets: () => (process.port === undefined ? [] : [process.port]) }),
      );
      const process: WorkerProcess = stack.use(
        new WorkerProcess({
          id: name,
          version,
          queues: Object.values(QUEUES),
          url: `http://127.0.0.1:${wire.port}`,
          controlUrl: `http://127.0.0.1:${balancer.port}`,
          token: FLEET_TOKEN,
          ledger: join(ledgers, name),
          failingQueue: QUEUES.direct,
          isFailing: false,
        }),
      );
      await process.start();
      return { name, version, process, wire };
    }),
  );
  const scene = { redis, controls, proxies, workers };
  await mustComeToPass('everything is ready', async () => (await notReady(scene)) === undefined);
  return scene;
}

/** Everybody is there, knows of everybody, and routes by the same. @returns what is missing */
export async function notReady({ redis, controls, proxies, workers }: Scene): Promise<string | undefined> {
  if (!(await redis.isWhole())) return 'Redis is not whole';
  for (const { name, process } of controls) {
    const answer = await fetch(`${process.api.url}/readyz`).catch(() => undefined);
    if (answer?.status !== 200) return `/readyz of ${name} answers ${answer?.status}`;
  }
  const heads = new Set<string>();
  for (const { name, process } of proxies) {
    const readiness = await process.face.readiness().catch(() => 0);
    if (readiness !== 200) return `/readyz of ${name} answers ${readiness}`;
    const routes = await process.face.routes();
    heads.add(`${routes.epoch} ${routes.revision}`);
    for (const worker of workers) {
      const known = routes.workers.find(({ id }) => id === worker.name);
      if (known?.status !== 'healthy') return `${worker.name} is ${known?.status} to ${name}`;
    }
  }
  return heads.size === 1 ? undefined : `the proxies are at ${[...heads].join(', ')}`;
}
