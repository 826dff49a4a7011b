import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { openRedisStore } from '../../../src/runtime/store/redis/redis-store.ts';
import { SCRIPTS } from '../../../src/runtime/store/redis/scripts.ts';
import { startRedis } from '../../helpers/redis.ts';
import { sharedNow } from '../lanes/job.ts';
import { PartProcess } from '../part-process.ts';
import { ApiCalls, timesOf, type Answer } from './api-calls.ts';
import type { ControlStart } from './control-part.ts';
import type { FleetFigures, Load } from './figures.ts';
import { activeOf, populate } from './populate.ts';
import type { ProxiesStart, ProxiesStarted } from './proxies-part.ts';
import { startCost } from './proxy-start.ts';
import { SIMULATED_SCRIPTS } from './simulated-proxy.ts';

/** A fleet of one size: populated, started, left alone for a while, and then asked for things one after another. */

export interface FleetPlan {
  readonly proxies: number;
  readonly changes: number;
  /** Of each other call. */
  readonly calls: number;
  readonly restSeconds: number;
}

const PROXY_PROCESSES = 2;
const TOKEN = 'bench-token';

const file = (name: string): URL => new URL(`${name}-part.ts`, import.meta.url);

export async function runFleet(size: number, plan: FleetPlan): Promise<FleetFigures> {
  await using opened = new AsyncDisposableStack();
  const part = (name: string): PartProcess => opened.use(new PartProcess(file(name)));
  const redis = opened.use(await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] }));
  const client = redis.client();
  const store = openRedisStore({ url: redis.url, clock: systemClock, log: createLog('silent') });
  opened.defer(() => store.close());
  const active = await populate(store, size);
  const cpuOfStart = await startCost(store);

  const control = part('control');
  const url = await control.ask<string>('start', {
    redisUrl: redis.url,
    token: TOKEN,
  } satisfies ControlStart);
  const api = opened.use(new ApiCalls(url, TOKEN));
  for (const script of SIMULATED_SCRIPTS) await client.script('LOAD', SCRIPTS[script].lua);
  const fleet = Array.from({ length: PROXY_PROCESSES }, () => part('proxies'));
  const share = plan.proxies / PROXY_PROCESSES;
  const started = await Promise.all(
    fleet.map((proxies, i) => {
      const start: ProxiesStart = { port: redis.port, from: i * share, count: share, deployments: active };
      return proxies.ask<ProxiesStarted>('start', start);
    }),
  );

  const measured = async (work: () => Promise<unknown>): Promise<Load> => {
    const before = await usageOf(client, control);
    await work();
    return perSecond(before, await usageOf(client, control));
  };
  const atRest = await measured(() => delay(plan.restSeconds * 1000));

  const propagation: number[] = [];
  const acknowledged = { complete: 0, all: 0 };
  const changed = async (name: string, method: string, path: string, body?: object): Promise<Answer> => {
    const from = sharedNow();
    const answer = await api.call(name, method, path, body);
    const { revision, applied, proxies } = answer.routing!;
    if (applied === plan.proxies && proxies === plan.proxies) acknowledged.complete++;
    acknowledged.all++;
    const times = await Promise.all(fleet.map((one) => one.ask<readonly number[]>('applied', revision)));
    if (name === CHANGE) propagation.push(Math.max(...times.flat()) - from);
    return answer;
  };

  const changeAll = async (): Promise<void> => {
    for (let i = 0; i < plan.changes; i++) {
      const id = active[i % active.length]!;
      const percentage = 11 + Math.floor(i / active.length);
      await changed(CHANGE, 'PUT', `/deployments/${id}/percentage`, { percentage });
    }
  };
  const changing = { from: sharedNow(), to: 0 };
  const underChanges = await measured(async () => {
    await changeAll();
    changing.to = sharedNow();
  });
  const perSecondOfChanges = plan.changes / ((changing.to - changing.from) / 1000);

  for (let i = 0; i < plan.calls; i++) {
    const queue = `made-${i}`;
    const made = {
      queue_name: queue,
      stable_version: 'v1.2.0',
      canary_version: 'v1.3.0',
      initial_percentage: 10,
    };
    const { id } = await changed('create', 'POST', '/deployments', {
      ...made,
      routing_strategy: 'split_queue',
    });
    await changed('roll back', 'POST', `/deployments/${id}/rollback`, { reason: 'measured' });
    await api.call('get', 'GET', `/deployments/${active[i % active.length]}`);
    await api.call('page of the list', 'GET', '/deployments?page=3&page_size=25');
    await api.call('page of the active', 'GET', '/deployments?status=active&page_size=25');
    await api.call('page of the workers', 'GET', '/workers?page=3&page_size=25');
  }
  for (let i = 0; i < LISTS; i++) {
    await api.call('list of all', 'GET', '/deployments');
    await api.call('list of all workers', 'GET', '/workers');
    await api.scrape();
  }

  const failures = await Promise.all(fleet.map((proxies) => proxies.ask<number>('failures')));
  if (failures.some((count) => count > 0)) throw new Error(`proxies met ${failures.join(' and ')} failures`);
  return {
    deployments: size,
    active: activeOf(size),
    workers: size,
    proxies: plan.proxies,
    calls: api.times,
    propagation: timesOf(propagation),
    acknowledged,
    unavailable: api.unavailable,
    commandsPerChange: (underChanges.commands - atRest.commands) / perSecondOfChanges,
    atRest,
    underChanges: { ...underChanges, changes: perSecondOfChanges },
    start: { bytes: started[0]!.snapshotBytes, cpu: cpuOfStart },
  };
}

const CHANGE = 'change of percentage';
/** Of the whole, some megabytes each. */
const LISTS = 5;

interface Usage extends Load {
  readonly at: number;
}

async function usageOf(client: Redis, control: PartProcess): Promise<Usage> {
  const info = await client.info('everything');
  const field = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)![1]);
  return {
    at: performance.now() / 1000,
    commands: field('total_commands_processed'),
    bytesOut: field('total_net_output_bytes'),
    redisCpu: 1000 * (field('used_cpu_user') + field('used_cpu_sys')),
    controlCpu: 1000 * control.cpuSeconds,
  };
}

function perSecond(before: Usage, after: Usage): Load {
  const rate = (name: keyof Usage): number => (after[name] - before[name]) / (after.at - before.at);
  return {
    commands: rate('commands'),
    bytesOut: rate('bytesOut'),
    redisCpu: rate('redisCpu'),
    controlCpu: rate('controlCpu'),
  };
}
