import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  awaitedPool,
  chooseLane,
  placeInLane,
  type CompiledRoute,
  type Placement,
} from '../src/core/decide.ts';
import { LanewiseError } from '../src/core/errors.ts';
import { hashKey, type KeyHash } from '../src/core/hash.ts';
import type { Lane } from '../src/core/lane.ts';
import { outcomeOfAnswer, type Outcome } from '../src/core/outcome.ts';
import { occupy, vacate } from '../src/core/pool.ts';
import type { RoutingTable } from '../src/core/routing-table.ts';
import { errorTypeOf, type JobSpan, type JobTracer, type SpanFacts } from '../src/runtime/tracing.ts';
import {
  allUnreachable,
  bodyTooLarge,
  dispatchTimedOut,
  nobodyHome,
  nobodyServes,
  noPlace,
  noPlaceInTime,
  notForwardable,
  producerStalled,
  overrideNotAllowed,
  proxyFailed,
  requestTooSlow,
  shuttingDown,
  strategyChanged,
  workerBroken,
  workerSilent,
} from './dispatch-errors.ts';
import type { WorkerEndpoint } from './endpoint.ts';
import type { Exchange, ForwardFailure, ForwardHandler } from './forwarder.ts';
import { judgeEnded, judgeRouted } from './judged-jobs.ts';
import { pairs, passedThrough } from './header-names.ts';
import { writeInformation } from './information.ts';
import { linger } from './linger.ts';
import { replyLocally } from './local-reply.ts';
import { isRetried, placeRetry, settle, type FailedAttempt } from './retry-on-stable.ts';
import type { Arrival, Running } from './running.ts';
import { BodyTooLarge, readBody, type RequestBody } from './request-body.ts';
import { countError, countOutcome, UNKNOWN_QUEUE, type DispatchTelemetry, type Series } from './telemetry.ts';
import { traceContextOf, withTrace } from './trace-headers.ts';
import { Tunnel } from './tunnel.ts';
import { switchProtocols, UPGRADE } from './upgrade.ts';
import type { Waiter, WaitingRoom } from './waiting-room.ts';
import {
  addOrigin,
  answerFromWorker,
  attemptToWorker,
  hopOf,
  jobToWorker,
  reasonFromWorker,
} from './worker-headers.ts';

/**
 * The life of one dispatch, from its head to its last byte:
 *
 *     reading → placing → forwarding → answering → ended
 *                  ↑___________|  (nothing was sent: another candidate, or the route has changed;
 *                                  failed on the canary: stable, see `retry-on-stable.ts`)
 *
 * Where all workers of its lane are full, it waits for a place before it is forwarded; see `waiting-room.ts`.
 *
 * One object, no promises. Whatever happens, it ends once, lets go of what it holds, and is counted once.
 */

export interface DispatchContext {
  readonly table: RoutingTable<WorkerEndpoint>;
  readonly telemetry: DispatchTelemetry;
  readonly tracer: JobTracer | undefined;
  readonly waitingRoom: WaitingRoom;
  readonly monotonic: () => number;
  readonly random: () => number;
  readonly newJobId: () => string;
  readonly timeoutMs: number;
  /** Between two pieces of a body, either way; 0: none. */
  readonly idleBodyMs: number;
  readonly bodyBytesMax: number;
  /** How this proxy names itself. */
  readonly via: string;
  /** Told of what should not have happened. */
  readonly onBug: (error: unknown) => void;
  /** Called once when the dispatch has ended. */
  readonly onEnded: (dispatch: Running) => void;
}

type Phase = 'reading' | 'forwarding' | 'answering' | 'tunnel' | 'ended';

export class Dispatch implements ForwardHandler, Running, Waiter {
  readonly #context: DispatchContext;
  readonly #arrival: Arrival;
  readonly #key: KeyHash;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  place = -1;
  turn = -1;
  #timer: NodeJS.Timeout | undefined;
  #stallTimer: NodeJS.Timeout | undefined;
  #phase: Phase = 'reading';
  /** To any worker; see `jobToWorker`. */
  #headers: string[] = [];
  #body: RequestBody = null;
  #route: CompiledRoute<WorkerEndpoint> | undefined;
  #lane: Lane = 'stable';
  #placement: Placement<WorkerEndpoint> | undefined;
  #tried: WorkerEndpoint[] = [];
  #series: Series | undefined;
  /** On the canary; what is under way since then is its retry. */
  #failed: FailedAttempt | undefined;
  /** When the dispatch arrived, or its retry began. */
  #began: number;
  #outOfTime = false;
  /** The timer is for a body that is read first, and only then for the rest of the dispatch: one timer mostly does. */
  #isReadTimer: boolean;
  #exchange: Exchange | undefined;
  #tunnel: Tunnel | undefined;
  #isRouted = false;
  /** The answer's body. */
  #hasBegun = false;
  /** As the worker says. */
  #length: number | undefined;
  /** One that came in one piece, until the answer's end is there too: the two go out together. */
  #whole: Buffer | undefined;
  /** Of the worker's answer; 0: none yet. */
  #status = 0;
  #outcome: Outcome = 'success';
  #span: JobSpan | undefined;

  constructor(
    context: DispatchContext,
    arrival: Arrival,
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    this.#context = context;
    this.#arrival = arrival;
    this.#key = hashKey(arrival.job.stickyKey ?? arrival.jobId);
    this.request = request;
    this.response = response;
    this.#began = context.monotonic();
    response.on('close', () => this.#onClosed());
    response.on('drain', () => this.#onDrain());
    const { timeoutMs, idleBodyMs } = context;
    this.#isReadTimer = idleBodyMs > 0 && (timeoutMs === 0 || idleBodyMs < timeoutMs);
    this.#setTimer(this.#isReadTimer ? idleBodyMs : timeoutMs);
  }

  #setTimer(ms: number): void {
    this.#timer = ms > 0 ? setTimeout(onTimeout, ms, this) : undefined;
  }

  start(): void {
    try {
      const { job } = this.#arrival;
      const isAwaited = job.awaitsContinue && this.request.httpVersionMinor === 1;
      const onWanted = isAwaited ? () => this.response.writeContinue() : undefined;
      readBody(this.request, job, this.#context.bodyBytesMax, onWanted, (body) => {
        this.#body = body;
        this.#begin();
      });
    } catch (error) {
      if (!(error instanceof LanewiseError)) this.#context.onBug(error);
      this.#fail(error instanceof LanewiseError ? error : proxyFailed(error), 'aborted');
    }
  }

  refuse(error: LanewiseError): void {
    this.#fail(error, 'aborted');
  }

  /** Ends what is left when the proxy must go. */
  shutDown(): void {
    if (this.#phase === 'tunnel') {
      this.#tunnel!.close();
      return;
    }
    // Not the worker's doing, so the judge must not count it.
    this.#fail(shuttingDown(), 'aborted');
  }

  #begin(): void {
    if (this.#phase !== 'reading') return;
    const { job, jobId, target } = this.#arrival;
    this.#headers = jobToWorker(job, jobId, target.queue, hopOf(this.request, this.#context.via));
    this.#phase = 'forwarding';
    if (this.#context.tracer !== undefined) this.#trace(this.#context.tracer);
    this.#decide();
  }

  #trace(tracer: JobTracer): void {
    const { jobId, job, target } = this.#arrival;
    // Names that only a producer knows must not become those of spans.
    if (!this.#context.table.queues.has(target.queue)) return;
    const trace = traceContextOf(job.passed);
    this.#span = tracer.process({ queue: target.queue, jobId, trace, isQueued: false });
    if (this.#span !== undefined) this.#headers = withTrace(this.#headers, this.#span.trace);
  }

  /** How it went so far, with the worker that was chosen last. */
  #facts(outcome: Outcome, error: LanewiseError | undefined): SpanFacts {
    return {
      lane: this.#series?.lane,
      version: this.#series?.version,
      // The one that stands for the dispatch, also where it let go of it because it could not be reached.
      worker: (this.#placement?.endpoint ?? this.#tried.at(-1))?.worker.id,
      fallback: this.#placement?.fallback,
      attempt: this.#failed === undefined ? 1 : 2,
      deploymentId: this.#route?.deploymentId,
      status: this.#status,
      errorType: errorTypeOf(outcome, this.#status),
      errorCode: error?.code,
      message: error?.message,
    };
  }

  /** Takes the queue's route as it is now, and a lane and a worker by it. */
  #decide(): void {
    const { queue } = this.#arrival.target;
    const { tenant, lane: override } = this.#arrival.job;
    const route = this.#context.table.routeFor(queue, tenant);
    this.#route = route;
    if (route === undefined) {
      this.#fail(nobodyServes(queue), 'unreachable');
    } else if (route.strategy !== 'hash_ring') {
      this.#fail(strategyChanged(queue), 'aborted');
    } else if (override !== undefined && !this.#context.table.queues.get(queue)!.policy.laneOverride) {
      this.#fail(overrideNotAllowed(queue), 'aborted');
    } else {
      this.#place(route, this.#failed === undefined ? override : 'stable');
    }
  }

  #place(route: CompiledRoute<WorkerEndpoint>, lane: Lane | undefined): void {
    const { random, waitingRoom } = this.#context;
    this.#lane = lane ?? chooseLane(route, this.#key, random);
    const placement = placeInLane(route, this.#lane, this.#key, random, this.#tried);
    if (placement !== undefined) {
      this.#forward(route, placement);
      return;
    }
    const pool = awaitedPool(route, this.#lane, this.#tried);
    if (pool !== undefined) {
      if (!waitingRoom.enter(this, pool.endpoints))
        this.#fail(noPlace(route.queue, waitingRoom.max), 'aborted');
    } else {
      this.#fail(this.#tried.length > 0 ? allUnreachable(this.#tried) : nobodyHome(route), 'unreachable');
    }
  }

  /** From the waiting room. The lane stands as long as the route does; drawn anew, a full one would lose its jobs. */
  wake(): void {
    if (this.#routeStands()) this.#place(this.#route!, this.#lane);
    else this.#decide();
  }

  #forward(route: CompiledRoute<WorkerEndpoint>, placement: Placement<WorkerEndpoint>): void {
    const { endpoint, lane } = placement;
    const { version } = endpoint.worker;
    this.#placement = placement;
    this.#series = this.#context.telemetry.seriesOf(route.queue, route.tenant, lane, version);
    this.#series.inFlight++;
    occupy(placement);
    endpoint.noteBegun();
    this.#status = 0;
    this.#exchange = endpoint.forwarder!.forward(
      {
        method: this.request.method!,
        path: this.#arrival.target.rest,
        headers: attemptToWorker(this.#headers, lane, version, this.#failed === undefined ? 1 : 2),
        body: this.#body,
        upgrade: this.#arrival.isUpgrade ? UPGRADE : undefined,
      },
      this,
    );
  }

  #latencyMs(): number {
    return this.#context.monotonic() - this.#began;
  }

  /** An attempt is over. */
  #noteAttempt(outcome: Outcome, latencyMs: number): void {
    const placement = this.#placement;
    if (placement === undefined) return;
    placement.endpoint.noteEnded(outcome, this.#status, latencyMs);
    if (!placement.fallback && !placement.spilled) return;
    const counts = this.#context.telemetry.countsOf(this.#series!.queue);
    if (placement.fallback) counts.fallbacks++;
    if (placement.spilled) counts.spills++;
  }

  /** Gives back the place on the worker. */
  #release(): void {
    const placement = this.#placement;
    if (placement === undefined) return;
    this.#placement = undefined;
    vacate(placement);
    this.#series!.inFlight--;
    placement.endpoint.noteVacated();
  }

  onSending(): boolean {
    if (!this.#routeStands()) return false;
    if (this.#failed === undefined) this.#countRouted();
    return true;
  }

  /**
   * A split that moved while a connection was made counts for this job too: after a rollback is acknowledged, not one
   * more job is written to the canary.
   */
  #routeStands(): boolean {
    return this.#context.table.routeFor(this.#arrival.target.queue, this.#arrival.job.tenant) === this.#route;
  }

  #countRouted(): void {
    judgeRouted(this.#context.telemetry, this.#route, this.#series!.lane, this.#key);
    this.#isRouted = true;
  }

  onInformation(status: number, raw: readonly string[]): void {
    // Nor for an answer of a worker whose job may go to another one: its hints would be another one's.
    if (this.#phase === 'forwarding' && this.request.httpVersionMinor === 1)
      writeInformation(this.response, status, raw);
  }

  onHead(status: number, reason: string, raw: readonly string[]): void {
    const { headers, hasRetryAfter, length } = answerFromWorker(raw, this.#context.via, status !== 204);
    const outcome = outcomeOfAnswer(status, hasRetryAfter);
    this.#status = status;
    if (outcome === 'failure' && this.#retry(outcome)) return;
    const { deploymentId } = this.#route!;
    addOrigin(headers, this.#arrival.jobId, this.#placement!, deploymentId, this.#failed !== undefined);
    this.#outcome = outcome;
    this.#phase = 'answering';
    this.response.writeHead(status, reasonFromWorker(status, reason), headers);
    // A stream may begin with silence; of other answers the body comes along.
    if (length === undefined) setImmediate(flushHead, this);
    this.#length = length;
  }

  flushHead(): void {
    if (this.#phase === 'answering' && !this.#hasBegun) this.response.flushHeaders();
  }

  onBody(chunk: Buffer): boolean {
    // Unless it is one that the producer may be too slow for.
    if (
      chunk.length === this.#length &&
      !this.#hasBegun &&
      chunk.length < this.response.writableHighWaterMark
    ) {
      this.#hasBegun = true;
      this.#whole = chunk;
      return true;
    }
    this.#hasBegun = true;
    if (this.response.write(chunk)) return true;
    // Only one who takes the answer is waited for.
    const { idleBodyMs } = this.#context;
    if (idleBodyMs > 0) this.#stallTimer ??= setTimeout(onStalled, idleBodyMs, this);
    return false;
  }

  #onDrain(): void {
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
    this.#exchange?.resume();
  }

  onStalled(): void {
    this.#fail(producerStalled(this.#context.idleBodyMs), 'aborted');
  }

  onComplete(trailers: readonly string[]): void {
    if (trailers.length > 0) this.response.addTrailers(pairs(passedThrough(trailers)));
    this.response.end(this.#whole);
    linger(this.request);
    this.#end(this.#outcome);
  }

  /** The job is what goes to and fro now; it has begun well, and how long it lasts says nothing about the worker. */
  onTunnel(raw: readonly string[], worker: Duplex): void {
    const { headers } = answerFromWorker(raw, this.#context.via, false);
    const { deploymentId } = this.#route!;
    addOrigin(headers, this.#arrival.jobId, this.#placement!, deploymentId, this.#failed !== undefined);
    const client = switchProtocols(this.response, headers);
    if (client === undefined) {
      worker.destroy();
      this.#onClosed();
      return;
    }
    clearTimeout(this.#timer);
    this.#phase = 'tunnel';
    this.#count('success');
    this.#span?.end(this.#facts('success', undefined));
    this.#tunnel = new Tunnel(client, worker, this.#context.idleBodyMs, () => {
      this.#phase = 'ended';
      this.#release();
      this.#context.onEnded(this);
    });
  }

  onFailure(failure: ForwardFailure, cause: Error): void {
    if (this.#phase === 'ended') return;
    const endpoint = this.#placement!.endpoint;
    switch (failure) {
      case 'unsent':
        this.#release();
        // Either the connection failed, or the route changed meanwhile; only the first is the worker's doing.
        if (this.#routeStands()) {
          this.#tried.push(endpoint);
          endpoint.noteUnreachable();
        }
        this.#decide();
        break;
      case 'timeout':
        if (!this.#retry('timeout')) this.#fail(workerSilent(endpoint.worker.id), 'timeout');
        break;
      case 'stalled':
        this.#fail(producerStalled(this.#context.idleBodyMs), 'aborted');
        break;
      case 'invalid':
        this.#fail(notForwardable(cause), 'aborted');
        break;
      case 'body':
        this.#fail(
          cause instanceof BodyTooLarge ? bodyTooLarge(this.#context.bodyBytesMax) : proxyFailed(cause),
          'aborted',
        );
        break;
      case 'broken':
        if (!this.#retry('failure')) this.#fail(workerBroken(endpoint.worker.id, cause), 'failure');
        break;
      default:
        failure satisfies never;
    }
  }

  /**
   * Hands a job that has failed on the canary to stable.
   * @returns false if the failure stands
   */
  #retry(outcome: Outcome): boolean {
    const route = this.#route!;
    const placement = this.#placement!;
    // What has begun to go out can't be taken back.
    if (this.#phase !== 'forwarding' || !isRetried(route, placement, this.#arrival.job, this.#body))
      return false;
    const now = this.#context.table.routeFor(this.#arrival.target.queue, this.#arrival.job.tenant);
    const retry = placeRetry(now, placement.endpoint.worker.version, this.#key, this.#context.random);
    if (retry === undefined) return false;
    const latencyMs = this.#latencyMs();
    this.#noteAttempt(outcome, latencyMs);
    this.#span?.noteAttempt(this.#facts(outcome, undefined));
    this.#release();
    const exchange = this.#exchange!;
    exchange.discard();
    this.#failed = { route, series: this.#series!, outcome, latencyMs, exchange };
    this.#began += latencyMs;
    this.#tried = [];
    this.#route = now;
    this.#forward(now!, retry);
    return true;
  }

  onTimeout(): void {
    const { timeoutMs, idleBodyMs } = this.#context;
    if (this.#isReadTimer) {
      this.#isReadTimer = false;
      if (this.#phase === 'reading') this.#fail(producerStalled(idleBodyMs), 'aborted');
      else if (timeoutMs > 0) this.#setTimer(timeoutMs - idleBodyMs);
      return;
    }
    this.#outOfTime = true;
    if (this.#phase === 'reading') this.#fail(requestTooSlow(timeoutMs), 'aborted');
    else if (this.#context.waitingRoom.has(this)) this.#fail(noPlaceInTime(timeoutMs), 'timeout');
    else this.#fail(dispatchTimedOut(timeoutMs), 'timeout');
  }

  /** The producer's connection is gone, or the answer is out. */
  #onClosed(): void {
    if (this.#phase === 'ended') return;
    this.#exchange?.abort();
    this.#end('aborted');
  }

  /** @param outcome `aborted` where it is not the worker's doing */
  #fail(error: LanewiseError, outcome: Outcome): void {
    if (this.#phase === 'ended') return;
    this.#exchange?.abort();
    const counted = this.#route === undefined ? UNKNOWN_QUEUE : this.#route.queue;
    countError(this.#context.telemetry.countsOf(counted), error.code);
    if (this.response.headersSent) {
      // The answer can't be taken back; breaking off is the only way left to say that it is not whole.
      this.response.destroy();
    } else {
      replyLocally(this.request, this.response, error, this.#arrival.jobId);
    }
    this.#end(outcome, error);
  }

  #end(outcome: Outcome, error?: LanewiseError): void {
    this.#phase = 'ended';
    clearTimeout(this.#timer);
    clearTimeout(this.#stallTimer);
    this.#context.waitingRoom.leave(this);
    this.#count(outcome);
    this.#span?.end(this.#facts(outcome, error));
    this.#release();
    this.#context.onEnded(this);
  }

  /** How it went; once. The last worker that was chosen stands for the dispatch, also if it was never reached. */
  #count(outcome: Outcome): void {
    if (this.#series === undefined) return;
    const latencyMs = this.#latencyMs();
    countOutcome(this.#series, outcome, latencyMs);
    this.#noteAttempt(outcome, latencyMs);
    if (this.#failed === undefined) {
      if (!this.#isRouted) this.#countRouted();
      judgeEnded(this.#context.telemetry, this.#route, this.#series.lane, outcome, latencyMs);
    } else {
      settle(this.#context.telemetry, this.#failed, this.#series, outcome, this.#outOfTime);
    }
  }
}

/** Node keeps a head until there is a body. */
function flushHead(dispatch: Dispatch): void {
  dispatch.flushHead();
}

function onStalled(dispatch: Dispatch): void {
  dispatch.onStalled();
}

function onTimeout(dispatch: Dispatch): void {
  dispatch.onTimeout();
}
