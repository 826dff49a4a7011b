import { BULLMQ_OPTIONS_HEADER } from '../src/core/bullmq-job.ts';
import type { CompiledRoute } from '../src/core/decide.ts';
import type { RoutingStrategy } from '../src/core/deployment.ts';
import { LanewiseError } from '../src/core/errors.ts';
import type { Endpoint, Pool } from '../src/core/pool.ts';
import { DISPATCH_PREFIX } from './job.ts';

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

/** Between the head of a request and its end: what was begun for one strategy can't go on by another. */
export function strategyChanged(queue: string): LanewiseError {
  const message = `The routing strategy of the queue ${queue} has just changed: send the job again`;
  return new LanewiseError('QUEUE_UNAVAILABLE', message, SOON);
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

export function notBatched(queue: string, strategy: RoutingStrategy): LanewiseError {
  return new LanewiseError(
    'INVALID_DISPATCH',
    `The queue ${queue} uses ${strategy}, which hands each job to a worker at once; batches are for jobs that are stored`,
    { details: { path: `must be ${DISPATCH_PREFIX}${queue}, with one job` } },
  );
}

export function mixedStrategies(queue: string, strategies: readonly RoutingStrategy[]): LanewiseError {
  return new LanewiseError(
    'INVALID_DISPATCH',
    `The tenants in this batch have different routing strategies for the queue ${queue} (${strategies.join(', ')}), so it can't be stored in one step`,
    { details: { body: 'must hold only jobs of tenants whose deployments use the same routing strategy' } },
  );
}

export function badBullmqOptions(id: string, problem: string): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', `The job ${id} can't be given to BullMQ`, {
    details: { [BULLMQ_OPTIONS_HEADER]: problem },
  });
}

/** What the store refused: nothing was accepted. */
export function notStored(cause: LanewiseError): LanewiseError {
  const message = `Nothing was stored: ${cause.message}`;
  return new LanewiseError('QUEUE_UNAVAILABLE', message, { ...SOON, cause });
}

/** The store may have taken it before it went quiet. */
export function notConfirmed(reason: string, cause?: unknown): LanewiseError {
  return new LanewiseError(
    'QUEUE_UNAVAILABLE',
    `Not confirmed: ${reason}. Sent again with the same job id, it is stored once, whether it was now or not`,
    { ...SOON, cause },
  );
}

/** The store knows of newer routes than can be had. */
export function outpaced(queue: string): LanewiseError {
  const message = `Nothing was stored: the routes of the queue ${queue} have moved on, and this proxy could not catch up`;
  return new LanewiseError('QUEUE_UNAVAILABLE', message, SOON);
}

export function requestTooSlow(timeoutMs: number): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', `The request did not arrive within ${timeoutMs} ms`);
}

export function notHttp(reason: string): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', reason);
}

export function notForwardable(cause: Error): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', `The request cannot be forwarded: ${cause.message}`, {
    cause,
  });
}

export function producerStalled(idleMs: number): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', `The producer sent and took nothing for ${idleMs} ms`);
}

export function loopDetected(via: string): LanewiseError {
  return new LanewiseError('LOOP_DETECTED', `The request has been here before (Via: ${via})`, {
    details: {
      Via: 'must not hold this proxy: a worker hands jobs back to it, or its url is the proxy itself',
    },
  });
}

export function noUpgrade(queue: string, strategy: RoutingStrategy): LanewiseError {
  return new LanewiseError(
    'INVALID_DISPATCH',
    `The queue ${queue} uses ${strategy}, which stores jobs; there is nobody to speak WebSocket with`,
    { details: { Upgrade: 'must be absent' } },
  );
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

/** Its lane's workers are full, and so is the waiting room. */
export function noPlace(queue: string, maxPending: number): LanewiseError {
  return new LanewiseError(
    'PROXY_OVERLOADED',
    `All workers of the queue ${queue} are full, and ${maxPending} dispatches wait for a place already`,
    SOON,
  );
}

export function noPlaceInTime(timeoutMs: number): LanewiseError {
  return new LanewiseError('WORKER_TIMEOUT', `No place on a worker became free within ${timeoutMs} ms`);
}

export function overloaded(maxInFlight: number): LanewiseError {
  return new LanewiseError(
    'PROXY_OVERLOADED',
    `The proxy has its limit of ${maxInFlight} dispatches under way`,
    SOON,
  );
}

export function tooManyConnections(maxConnections: number): LanewiseError {
  return new LanewiseError(
    'PROXY_OVERLOADED',
    `The proxy has its limit of ${maxConnections} connections`,
    SOON,
  );
}

/** A mistake of ours; what it was is in the log. */
export function proxyFailed(cause: unknown): LanewiseError {
  return new LanewiseError('INTERNAL', 'The proxy failed', { cause });
}
