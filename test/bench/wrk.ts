import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Program } from './program.ts';

/** Load by wrk, which takes a few microseconds a request: less than any proxy that it measures. */

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly bodyBytes: number;
  /** 0: the one of the path. */
  readonly queues?: number;
  /** Requests a second; as many as it can where it is absent. */
  readonly rate?: number;
}

/** Latencies in milliseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export type Latencies = Pick<LoadResult, 'p50' | 'p99' | 'p999'>;

export interface Usage {
  /** Microseconds of CPU a request. */
  readonly cpuPerRequest: number;
  /** The most that was seen. */
  readonly memoryMiB: number;
}

const SCRIPT = join(import.meta.dirname, 'wrk.lua');
const MEMORY_SAMPLE_MS = 200;

/** @throws where a request failed or was answered 4xx or 5xx: a proxy that fails is not fast */
export async function load(name: string, options: Load): Promise<LoadResult> {
  const { url, connections, seconds, bodyBytes, queues = 0, rate = 0 } = options;
  const flags = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '-s', SCRIPT];
  const wrk = spawn('wrk', [...flags, url, '--', String(bodyBytes), String(queues), String(rate)]);
  let output = '';
  wrk.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  wrk.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(wrk, 'close');
  const line = /^\{.*\}$/m.exec(output)?.[0];
  if (line === undefined) throw new Error(`wrk against ${name}: ${output}`);
  const { failures, ...result } = JSON.parse(line) as LoadResult & { readonly failures: number };
  if (failures > 0) throw new Error(`${name} failed ${failures} of ${result.requests} requests`);
  if (result.requests === 0) throw new Error(`${name} answered nothing in ${seconds} s`);
  return result;
}

/** What the load costs the program that is under it. */
export async function measure(
  name: string,
  program: Program,
  options: Load,
): Promise<{ readonly result: LoadResult; readonly usage: Usage }> {
  let memoryMiB = 0;
  const sampling = setInterval(() => (memoryMiB = Math.max(memoryMiB, program.memoryMiB)), MEMORY_SAMPLE_MS);
  try {
    const before = program.cpuSeconds;
    const result = await load(name, options);
    const cpuPerRequest = ((program.cpuSeconds - before) / result.requests) * 1e6;
    return { result, usage: { cpuPerRequest, memoryMiB } };
  } finally {
    clearInterval(sampling);
  }
}
