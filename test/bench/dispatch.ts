import type { LoadPart, LoadResult, ProxyPart } from './part.ts';
import { BenchProcess } from './processes.ts';

/** What a dispatch costs the proxy: 500-byte POSTs, 64 connections, sticky, 10 % canary, telemetry on. */

export interface DispatchResult extends LoadResult {
  readonly kind: ProxyPart['kind'];
  /** Microseconds of the proxy's CPU a request. */
  readonly cpuPerRequest: number;
  readonly memoryMiB: number;
}

const CONNECTIONS = 64;
const SECONDS = 8;
const WARM_UP_SECONDS = 3;

export async function benchDispatch(kind: ProxyPart['kind']): Promise<DispatchResult> {
  await using opened = new AsyncDisposableStack();
  const workers = [opened.use(new BenchProcess('worker')), opened.use(new BenchProcess('worker'))];
  const urls = await Promise.all(workers.map((worker) => worker.message<string>()));
  const proxy = opened.use(new BenchProcess('proxy', { kind, workers: urls } satisfies ProxyPart));
  const url = await proxy.message<string>();

  // Correctness first: a fast wrong answer is no result.
  const answer = await fetch(`${url}/dispatch/jobs`, { method: 'POST', body: 'x' });
  if ((await answer.text()) !== 'ok') throw new Error(`${kind} does not pass the worker's answer on`);

  const load = opened.use(
    new BenchProcess('load', {
      url,
      path: '/dispatch/jobs',
      connections: CONNECTIONS,
      seconds: SECONDS,
      warmUpSeconds: WARM_UP_SECONDS,
    } satisfies LoadPart),
  );
  await load.message<'measuring'>();
  const before = proxy.cpuSeconds;
  const result = await load.message<LoadResult>();
  const cpu = proxy.cpuSeconds - before;
  if (result.failures > 0)
    throw new Error(`${kind} failed ${result.failures} of ${result.requests} requests`);
  return { kind, ...result, cpuPerRequest: (cpu / result.requests) * 1e6, memoryMiB: proxy.memoryMiB };
}
