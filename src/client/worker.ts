import { pause } from '../runtime/periodic.ts';
import type { WorkerRequest, WorkerStatusUpdate } from './api-types.ts';
import type { Client } from './calls.ts';
import { createClient, type ClientOptions } from './client.ts';
import { ApiError } from './errors.ts';

/**
 * A worker's place in the registry, kept for as long as the worker runs. The control plane forgets who is silent for the
 * worker time-out (2 m by default), and may itself be gone for a while; neither is the worker's business.
 */

const HEARTBEAT_MS_DEFAULT = 30_000;
const RETRY_MS_MIN = 500;

export type WorkerReport = WorkerStatusUpdate;

export interface WorkerOptions extends ClientOptions {
  readonly worker: WorkerRequest;
  /** Time between two heartbeats, 30 s if left out; well below the worker time-out. */
  readonly heartbeatMs?: number | undefined;
  /** Asked at every heartbeat; `healthy` without metrics if left out. */
  readonly report?: (() => WorkerReport) | undefined;
  /** Told of every failed call. The next one comes by itself. */
  readonly onProblem?: ((error: Error) => void) | undefined;
  /** Gives up a registration that has not come through yet. */
  readonly signal?: AbortSignal | undefined;
}

export interface Registration {
  /** Heartbeats end, and the worker is taken out of the registry. Does nothing the second time. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Registers, waiting for a control plane that is not there yet, and then sends heartbeats in the background, which keep
 * no process alive. A worker that the registry has lost is registered again.
 *
 * @throws ApiError if the registration is refused: waiting would not mend it
 */
export async function registerWorker(options: WorkerOptions): Promise<Registration> {
  const client = createClient(options);
  const stopped = new AbortController();
  const given = options.signal ?? new AbortController().signal;
  const everyMs = options.heartbeatMs ?? HEARTBEAT_MS_DEFAULT;
  await persist(() => client.registerWorker({ body: options.worker }), options, everyMs, given);
  given.throwIfAborted();
  const beating = beat(client, options, everyMs, stopped.signal);
  const close = async (): Promise<void> => {
    if (stopped.signal.aborted) return;
    stopped.abort();
    await beating;
    await remove(client, options.worker.id);
  };
  return { close, [Symbol.asyncDispose]: close };
}

async function beat(
  client: Client,
  options: WorkerOptions,
  everyMs: number,
  stopped: AbortSignal,
): Promise<void> {
  const { id } = options.worker;
  while (await pause(everyMs, stopped)) {
    const body = options.report?.() ?? { status: 'healthy' as const };
    const once = async (): Promise<void> => {
      try {
        await client.setWorkerStatus({ id, body, signal: stopped });
      } catch (error) {
        if (!(error instanceof ApiError && error.code === 'WORKER_NOT_FOUND')) throw error;
        await client.registerWorker({ body: options.worker, signal: stopped });
      }
    };
    try {
      await persist(once, options, everyMs, stopped);
    } catch (error) {
      // A refusal (a token that was withdrawn, say) is told, and the next heartbeat tries again.
      if (!stopped.aborted) options.onProblem?.(error as Error);
    }
  }
}

/** Again and again, ever more slowly up to the heartbeat, while it might help. */
async function persist(
  work: () => Promise<unknown>,
  { onProblem }: WorkerOptions,
  everyMs: number,
  stopped: AbortSignal,
): Promise<void> {
  let waitMs = Math.min(RETRY_MS_MIN, everyMs);
  do {
    try {
      await work();
      return;
    } catch (error) {
      if (stopped.aborted) return;
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error;
      onProblem?.(error as Error);
      const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
      waitMs = Math.min(Math.max(waitMs * 2, asked), everyMs);
    }
  } while (await pause(waitMs, stopped));
}

/** A token of the role `worker` may not remove anybody, but say that no job is welcome any more. */
async function leave(client: Client, id: string): Promise<void> {
  await client.setWorkerStatus({ id, body: { status: 'unhealthy' } });
}

/** One that is gone already is what was wanted. */
async function remove(client: Client, id: string): Promise<void> {
  try {
    await client.removeWorker({ id });
  } catch (error) {
    if (error instanceof ApiError && error.code === 'FORBIDDEN') return leave(client, id);
    if (!(error instanceof ApiError && error.code === 'WORKER_NOT_FOUND')) throw error;
  }
}
