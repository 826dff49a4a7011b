import { startRedis } from '../../helpers/redis.ts';
import { PartProcess } from '../part-process.ts';
import type { BullmqWorkerStart } from './bullmq-part.ts';
import type { Latency, Rate, SystemFigures } from './figures.ts';
import { BATCH_JOBS } from './job.ts';
import type { Done } from './job-log.ts';
import type { LanewiseStart } from './lanewise-part.ts';
import { measureRate, type Parts } from './measure-rate.ts';
import type { Order, Target } from './producer-part.ts';
import type { WorkerUrls } from './worker-part.ts';

/**
 * One system through the whole life of its jobs: taken in one by one, taken in by batches, processed, and then one now
 * and then. Each part is a process, and each run has a Redis of its own. Fails unless every job that was accepted has been
 * processed, once.
 */
export type System =
  | {
      readonly name: string;
      readonly kind: 'lanewise';
      readonly strategy: LanewiseStart['strategy'];
      readonly isEmbedded: boolean;
    }
  | {
      readonly name: string;
      readonly kind: 'bullmq';
      readonly intake: 'queue' | 'http';
      readonly processor: 'calls' | 'empty';
    };

export interface Sizes {
  readonly warmUp: number;
  readonly accepted: number;
  readonly acceptedInBatches: number;
  /** Jobs in the measurement of latency. */
  readonly slow: number;
}

/** So that the code is compiled. */
const BATCHES_BEFORE = 10;

/** The rest of what was taken in is processed before, for the same reason. */
export function processedOf({ accepted, acceptedInBatches }: Sizes): number {
  return accepted + acceptedInBatches;
}

const file = (name: string): URL => new URL(`${name}-part.ts`, import.meta.url);

export async function runSystem(system: System, sizes: Sizes): Promise<SystemFigures> {
  await using opened = new AsyncDisposableStack();
  const part = (name: string): PartProcess => opened.use(new PartProcess(file(name)));
  const redis = opened.use(await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] }));
  const client = redis.client();
  const worker = part('worker');
  const urls = await worker.ask<WorkerUrls>('listen');
  const producer = part('producer');
  const { target, intake, consumer, consume } = await (system.kind === 'lanewise'
    ? openLanewise(system, redis.url, urls, part)
    : openBullmq(system, redis.port, urls.stable, part));
  const isEmpty = system.kind === 'bullmq' && system.processor === 'empty';
  const log = isEmpty ? consumer : worker;

  const measure = (jobs: number, parts: Parts, work: () => Promise<number | void>): Promise<Rate> =>
    measureRate(jobs, parts, client, work);

  let from = 0;
  const produce = async (how: 'single' | 'batches' | 'slowly', count: number): Promise<number> => {
    const order: Order = { target, from, count };
    from += count;
    return producer.ask<number>(how, order);
  };
  const taking: Parts = { producer, ...(intake !== undefined && { [intake.name]: intake.part }) };
  await produce('single', sizes.warmUp);
  const accepted = await measure(sizes.accepted, taking, () => produce('single', sizes.accepted));
  await produce('batches', BATCHES_BEFORE * BATCH_JOBS);
  const count = sizes.acceptedInBatches;
  const acceptedInBatches = await measure(count, taking, () => produce('batches', count));

  const running: Parts = { consumer, ...(!isEmpty && { worker }) };
  await consume();
  await log.ask('done', from - processedOf(sizes));
  const processed = await measure(processedOf(sizes), running, async () => {
    await log.ask('done', from);
  });
  const done = await log.ask<Done>('done', from);
  if (done.count !== from || done.repeats > 0)
    throw new Error(`${system.name}: ${done.count} of ${from} jobs were processed, ${done.repeats} again`);

  await log.ask('reset');
  await produce('slowly', sizes.slow);
  await log.ask('done', sizes.slow);
  const latency = latencyOf(await log.ask<readonly number[]>('latencies'));
  return { system: system.name, accepted, acceptedInBatches, processed, latency };
}

interface Opened {
  readonly target: Target;
  /** What stands between producers and Redis. */
  readonly intake: { readonly name: string; readonly part: PartProcess } | undefined;
  readonly consumer: PartProcess;
  /** Lets the consumer begin. */
  readonly consume: () => Promise<unknown>;
}

async function openLanewise(
  { strategy, isEmbedded }: System & { kind: 'lanewise' },
  redisUrl: string,
  urls: WorkerUrls,
  part: (name: string) => PartProcess,
): Promise<Opened> {
  const common = { strategy, ...(!isEmbedded && { redisUrl }) };
  const proxy = part('lanewise');
  const url = await proxy.ask<string>('start', { ...common, consumes: isEmbedded } satisfies LanewiseStart);
  await proxy.ask('deploy', strategy);
  const target: Target = { kind: 'lanewise', url };
  const intake = { name: 'proxy', part: proxy };
  if (isEmbedded) return { target, intake, consumer: proxy, consume: () => proxy.ask('register', urls) };
  const consumer = part('lanewise');
  await consumer.ask('start', { ...common, consumes: true } satisfies LanewiseStart);
  return { target, intake, consumer, consume: () => consumer.ask('register', urls) };
}

async function openBullmq(
  { intake, processor }: System & { kind: 'bullmq' },
  port: number,
  url: string,
  part: (name: string) => PartProcess,
): Promise<Opened> {
  const consumer = part('bullmq');
  const start: BullmqWorkerStart = { port, ...(processor === 'calls' && { url }) };
  const consume = (): Promise<unknown> => consumer.ask('work', start);
  if (intake === 'queue') return { target: { kind: 'bullmq', port }, intake: undefined, consumer, consume };
  const server = part('bullmq');
  const target: Target = { kind: 'bullmq', port, url: await server.ask<string>('serve', port) };
  return { target, intake: { name: 'server', part: server }, consumer, consume };
}

function latencyOf(latencies: readonly number[]): Latency {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (q: number): number => sorted[Math.floor(q * sorted.length)]!;
  return { p50: at(0.5), p99: at(0.99) };
}
