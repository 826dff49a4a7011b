import type { CompiledRoute } from '../src/core/decide.ts';
import { LanewiseError } from '../src/core/errors.ts';
import type { Endpoint, Pool } from '../src/core/pool.ts';

/** The answers that the proxy makes itself, in words that say what is wrong and what would help. */

/** For what is likely to be over in a moment. */
const SOON = { retryAfterSeconds: 1 };

export function nobodyServes(queue: string): LanewiseError {
  return new LanewiseError('NO_WORKER_AVAILABLE', `No worker serves the queue ${queue}`, SOON);
}

export function nobodyHome({
  queue,
  stable,
  canary,
  reserve,
  percentage,
}: CompiledRoute<Endpoint>): LanewiseError {
  const lastResort = reserve.endpoints.length === 0 ? '' : `, superseded ${usable(reserve)}`;
  const lanes = `stable ${usable(stable)}, canary ${usable(canary)} at ${percentage} %${lastResort}`;
  return new LanewiseError('NO_WORKER_AVAILABLE', `No usable worker for the queue ${queue}: ${lanes}`, SOON);
}

function usable({ endpoints }: Pool<Endpoint>): string {
  return `${endpoints.filter((endpoint) => endpoint.usable).length} of ${endpoints.length} usable`;
}

export function allUnreachable(tried: readonly Endpoint[]): LanewiseError {
  const workers = tried.map(({ worker }) => worker.id).join(', ');
  return new LanewiseError('WORKER_UNREACHABLE', `No worker took the connection (tried ${workers})`, SOON);
}

export function strategyUnavailable({ queue, strategy }: CompiledRoute<Endpoint>): LanewiseError {
  return new LanewiseError(
    'QUEUE_UNAVAILABLE',
    `The queue ${queue} uses ${strategy}, which this release does not dispatch yet; its routing strategy must be hash_ring`,
    SOON,
  );
}

export function overrideNotAllowed(queue: string): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', `The queue ${queue} does not allow X-Canary-Lane`, {
    details: { 'X-Canary-Lane': `must be absent, unless queues.${queue}.allow_lane_override is set` },
  });
}

/** @param bytes undefined where the body did not say how long it is */
export function bodyTooLarge(bytesMax: number, bytes?: number): LanewiseError {
  const body = bytes === undefined ? 'The body' : `A body of ${bytes} bytes`;
  return new LanewiseError('PAYLOAD_TOO_LARGE', `${body} is over the limit of ${bytesMax} bytes`, {
    details: { body: `must be at most ${bytesMax} bytes` },
  });
}

export function requestTooSlow(timeoutMs: number): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', `The request did not arrive within ${timeoutMs} ms`);
}

export function notForwardable(cause: Error): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', `The request cannot be forwarded: ${cause.message}`, {
    cause,
  });
}

export function dispatchTimedOut(timeoutMs: number): LanewiseError {
  return new LanewiseError('WORKER_TIMEOUT', `No answer within ${timeoutMs} ms`);
}

export function workerSilent(workerId: string): LanewiseError {
  return new LanewiseError('WORKER_TIMEOUT', `The worker ${workerId} did not answer in time`);
}

export function workerBroken(workerId: string, cause: Error): LanewiseError {
  return new LanewiseError('WORKER_FAILED', `The worker ${workerId} broke off: ${cause.message}`, { cause });
}

export function shuttingDown(): LanewiseError {
  return new LanewiseError('PROXY_OVERLOADED', 'The proxy is shutting down', SOON);
}

export function overloaded(maxInFlight: number): LanewiseError {
  return new LanewiseError(
    'PROXY_OVERLOADED',
    `The proxy has its limit of ${maxInFlight} dispatches under way`,
    SOON,
  );
}

/** A mistake of ours; what it was is in the log. */
export function proxyFailed(cause: unknown): LanewiseError {
  return new LanewiseError('INTERNAL', 'The proxy failed', { cause });
}
