import type { Duplex } from 'node:stream';
import type { CompiledRoute, Placement } from '../../src/core/decide.ts';
import { hashKey, type KeyHash } from '../../src/core/hash.ts';
import type { Lane } from '../../src/core/lane.ts';
import { outcomeOfAnswer, type Outcome } from '../../src/core/outcome.ts';
import { occupy, vacate } from '../../src/core/pool.ts';
import { MESSAGE_LENGTH_MAX, type QueueJob } from '../../src/core/queue-job.ts';
import type { RoutingTable } from '../../src/core/routing-table.ts';
import { errorTypeOf, type JobSpan, type JobTracer } from '../../src/runtime/tracing.ts';
import type { WorkerEndpoint } from '../endpoint.ts';
import type { Exchange, ForwardFailure, ForwardHandler, ForwardRequest } from '../forwarder.ts';
import { judgeEnded, judgeRouted } from '../judged-jobs.ts';
import { countOutcome, type DispatchTelemetry, type Series } from '../telemetry.ts';
import { withTrace } from '../trace-headers.ts';
import { attemptToWorker } from '../worker-headers.ts';
import { retryAfterMs, type AttemptEnd } from './after-attempt.ts';
import { requestOf } from './job-request.ts';
import type { LaneTelemetry } from './lane-telemetry.ts';
import type { Places } from './places.ts';
import { placeJob } from './placing.ts';

/**
 * One attempt at a job that was taken from a lane: the sibling of `Dispatch`, with a store behind it in place of a
 * producer. Placing, connecting and what is counted are the same. Nobody waits for the answer, so of that only what it
 * says is kept.
 */
export interface LaneDispatchContext {
  readonly table: RoutingTable<WorkerEndpoint>;
  readonly telemetry: DispatchTelemetry;
  readonly laneTelemetry: LaneTelemetry;
  readonly tracer: JobTracer | undefined;
  readonly places: Places;
  readonly monotonic: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly random: () => number;
  /** 0: none. */
  readonly timeoutMs: number;
}

export interface LaneDispatchJob {
  readonly job: QueueJob;
  readonly queue: string;
  /** The one that it lay in, which says where it goes; `job.lane` is where it went at first. */
  readonly lane: Lane;
}

/** `busy`: nothing was sent, since all who may have it are full. */
export type DispatchEnd = AttemptEnd | { readonly kind: 'busy'; readonly workers: readonly WorkerEndpoint[] };

export interface EndedDispatch {
  readonly end: DispatchEnd;
  /** The last worker that was chosen. */
  readonly worker: WorkerEndpoint | undefined;
}

export class LaneDispatch implements ForwardHandler {
  readonly #context: LaneDispatchContext;
  readonly #job: LaneDispatchJob;
  readonly #key: KeyHash;
  #request: ForwardRequest;
  readonly #onEnded: (ended: EndedDispatch) => void;
  readonly #began: number;
  #timer: NodeJS.Timeout | undefined;
  #route: CompiledRoute<WorkerEndpoint> | undefined;
  #placement: Placement<WorkerEndpoint> | undefined;
  #worker: WorkerEndpoint | undefined;
  #series: Series | undefined;
  #exchange: Exchange | undefined;
  /** Of the attempt, from when there is a worker for it. */
  #span: JobSpan | undefined;
  #isTraced = false;
  #tried: WorkerEndpoint[] = [];
  #isRouted = false;
  #ended = false;
  #answer:
    | { readonly status: number; readonly outcome: Outcome; readonly retryAfter: string | undefined }
    | undefined;
  #message: Buffer[] = [];
  #messageBytes = 0;

  /** @param onEnded is called once, possibly before `start` returns */
  constructor(context: LaneDispatchContext, job: LaneDispatchJob, onEnded: (ended: EndedDispatch) => void) {
    this.#context = context;
    this.#job = job;
    this.#key = hashKey(job.job.key);
    this.#request = requestOf(job.job, job.queue);
    this.#onEnded = onEnded;
    this.#began = context.monotonic();
  }

  start(): void {
    const { timeoutMs } = this.#context;
    if (timeoutMs > 0) this.#timer = setTimeout(onTimeout, timeoutMs, this);
    this.#place();
  }

  /** Ends what is left when the proxy must go. */
  abort(): void {
    this.#end({ kind: 'aborted', message: 'the proxy had to stop before there was an answer' }, 'aborted');
  }

  onTimeout(): void {
    this.#end({ kind: 'timeout', message: `no answer within ${this.#context.timeoutMs} ms` }, 'timeout');
  }

  #currentRoute(): CompiledRoute<WorkerEndpoint> | undefined {
    return this.#context.table.routeFor(this.#job.queue, this.#job.job.tenant);
  }

  #place(): void {
    const { places, random } = this.#context;
    const { queue, lane } = this.#job;
    const route = this.#currentRoute();
    this.#route = route;
    const placing = route && placeJob(route, lane, this.#key, random, places, this.#tried);
    if (placing?.kind === 'placed') this.#forward(route!, placing.placement);
    else if (placing?.kind === 'busy') this.#end(placing, undefined);
    else if (this.#tried.length > 0) this.#end({ kind: 'unreachable' }, 'unreachable');
    else if (placing?.isResting === true) this.#end({ kind: 'unreachable' }, undefined);
    else this.#end({ kind: 'nobody', message: `no usable worker of ${queue} may have it` }, undefined);
  }

  #forward(route: CompiledRoute<WorkerEndpoint>, placement: Placement<WorkerEndpoint>): void {
    const { telemetry, places } = this.#context;
    const { endpoint, lane } = placement;
    const { version } = endpoint.worker;
    this.#placement = placement;
    this.#worker = endpoint;
    this.#series = telemetry.seriesOf(route.queue, route.tenant, lane, version);
    this.#series.inFlight++;
    occupy(placement);
    endpoint.noteBegun();
    places.begin(endpoint);
    if (!this.#isTraced) this.#trace();
    const headers = attemptToWorker(this.#request.headers, lane, version, this.#job.job.attempt);
    this.#exchange = endpoint.forwarder!.forward({ ...this.#request, headers }, this);
  }

  #trace(): void {
    this.#isTraced = true;
    const { queue, job } = this.#job;
    this.#span = this.#context.tracer?.process({ queue, jobId: job.id, trace: job.trace, isQueued: true });
    if (this.#span === undefined) return;
    this.#request = { ...this.#request, headers: withTrace(this.#request.headers, this.#span.trace) };
  }

  /** After a roll-back was acknowledged not one more job is written to the canary. */
  onSending(): boolean {
    if (this.#currentRoute() !== this.#route) return false;
    this.#context.places.noteReached(this.#worker!);
    this.#countRouted();
    this.#noteAge();
    return true;
  }

  /** How long it had waited, once in its life; a raw job doesn't know. */
  #noteAge(): void {
    const { queue, lane, job } = this.#job;
    const { now, laneTelemetry } = this.#context;
    if (job.attempt === 1 && job.history.length === 0 && job.enqueuedAt > 0)
      laneTelemetry.noteAge(queue, lane, now() - job.enqueuedAt);
  }

  /** Nobody waits for it. */
  onInformation(): void {}

  /** Never asked for. */
  onTunnel(_headers: readonly string[], socket: Duplex): void {
    socket.destroy();
  }

  onHead(status: number, _reason: string, raw: readonly string[]): void {
    const retryAfter = headerOf(raw, 'retry-after');
    const outcome = outcomeOfAnswer(status, retryAfter !== undefined);
    this.#answer = { status, outcome, retryAfter };
  }

  onBody(chunk: Buffer): boolean {
    if (this.#answer?.outcome === 'success' || this.#messageBytes >= MESSAGE_LENGTH_MAX) return true;
    const kept = chunk.subarray(0, MESSAGE_LENGTH_MAX - this.#messageBytes);
    this.#messageBytes += kept.length;
    // A copy: the chunk is a part of something larger.
    this.#message.push(Buffer.from(kept));
    return true;
  }

  onComplete(): void {
    const { status, outcome, retryAfter } = this.#answer!;
    const message = Buffer.concat(this.#message).toString();
    if (outcome === 'success') this.#end({ kind: 'success' }, outcome);
    else if (outcome === 'failure') this.#end({ kind: 'failure', status, message }, outcome);
    else {
      const wait = retryAfter === undefined ? undefined : retryAfterMs(retryAfter, this.#context.now());
      this.#end({ kind: 'rejected', status, retryAfterMs: wait, message }, outcome);
    }
  }

  onFailure(failure: ForwardFailure, cause: Error): void {
    if (this.#ended) return;
    const endpoint = this.#worker!;
    switch (failure) {
      case 'unsent':
        this.#release();
        // Either the connection failed, or the route changed meanwhile; only the first is the worker's doing.
        if (this.#currentRoute() === this.#route) {
          this.#tried.push(endpoint);
          endpoint.noteUnreachable();
          this.#context.places.noteRefused(endpoint);
        }
        this.#place();
        break;
      case 'timeout':
        this.#end({ kind: 'timeout', message: 'the worker was silent for too long' }, 'timeout');
        break;
      case 'invalid':
        this.#end({ kind: 'invalid', message: cause.message }, 'aborted');
        break;
      case 'stalled':
      case 'body':
      case 'broken':
        this.#end({ kind: 'failure', message: `the worker broke off: ${cause.message}` }, 'failure');
        break;
      default:
        failure satisfies never;
    }
  }

  #countRouted(): void {
    judgeRouted(this.#context.telemetry, this.#route, this.#series!.lane, this.#key);
    this.#isRouted = true;
  }

  #release(): void {
    const placement = this.#placement;
    if (placement === undefined) return;
    this.#placement = undefined;
    vacate(placement);
    this.#series!.inFlight--;
    placement.endpoint.noteVacated();
    this.#context.places.end(placement.endpoint);
  }

  /** @param outcome undefined where nothing was tried, so that there is nothing to count */
  #end(end: DispatchEnd, outcome: Outcome | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    if (end.kind === 'aborted' || end.kind === 'timeout') this.#exchange?.abort();
    if (outcome !== undefined && this.#series !== undefined) {
      this.#count(this.#series, outcome);
      this.#endSpan(this.#series, end, outcome);
    }
    this.#release();
    this.#onEnded({ end, worker: this.#worker });
  }

  /** Nothing that the worker says is in it: that may be anything. */
  #endSpan({ lane, version }: Series, end: DispatchEnd, outcome: Outcome): void {
    const status = this.#answer?.status ?? 0;
    this.#span?.end({
      lane,
      version,
      worker: this.#worker?.worker.id,
      fallback: this.#placement?.fallback,
      attempt: this.#job.job.attempt,
      deploymentId: this.#route?.deploymentId,
      status,
      errorType: errorTypeOf(outcome, status),
      message: status === 0 && 'message' in end ? end.message : undefined,
    });
  }

  #count(series: Series, outcome: Outcome): void {
    const { telemetry, monotonic } = this.#context;
    const latencyMs = monotonic() - this.#began;
    const placement = this.#placement;
    countOutcome(series, outcome, latencyMs);
    placement?.endpoint.noteEnded(outcome, this.#answer?.status ?? 0, latencyMs);
    const counts = telemetry.countsOf(series.queue);
    if (placement?.fallback === true) counts.fallbacks++;
    if (placement?.spilled === true) counts.spills++;
    if (!this.#isRouted) this.#countRouted();
    judgeEnded(telemetry, this.#route, series.lane, outcome, latencyMs);
  }
}

function onTimeout(dispatch: LaneDispatch): void {
  dispatch.onTimeout();
}

function headerOf(raw: readonly string[], name: string): string | undefined {
  for (let i = 0; i < raw.length; i += 2) if (raw[i]!.toLowerCase() === name) return raw[i + 1];
  return undefined;
}
