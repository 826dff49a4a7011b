import type { IncomingMessage, ServerResponse } from 'node:http';
import { decide, type CompiledRoute, type Placement } from '../src/core/decide.ts';
import { LanewiseError } from '../src/core/errors.ts';
import type { LaneTotals } from '../src/core/lane-totals.ts';
import type { Lane } from '../src/core/lane.ts';
import { outcomeOfAnswer, type Outcome } from '../src/core/outcome.ts';
import { occupy, vacate } from '../src/core/pool.ts';
import type { RoutingTable } from '../src/core/routing-table.ts';
import {
  allUnreachable,
  bodyTooLarge,
  dispatchTimedOut,
  nobodyHome,
  nobodyServes,
  notForwardable,
  overrideNotAllowed,
  proxyFailed,
  requestTooSlow,
  shuttingDown,
  strategyUnavailable,
  workerBroken,
  workerSilent,
} from './dispatch-errors.ts';
import type { WorkerEndpoint } from './endpoint.ts';
import type { Exchange, ForwardFailure, ForwardHandler } from './forwarder.ts';
import { readJobHeaders, parseTarget, type JobHeaders, type Target } from './job.ts';
import { replyLocally } from './local-reply.ts';
import { BodyTooLarge, readSmallBody, SMALL_BODY_BYTES_MAX, StreamedBody } from './request-body.ts';
import { countError, countOutcome, UNKNOWN_QUEUE, type DispatchTelemetry, type Series } from './telemetry.ts';
import { answerFromWorker, attemptHeaders, jobToWorker } from './worker-headers.ts';

/**
 * The life of one dispatch, from its head to its last byte:
 *
 *     reading → placing → forwarding → answering → ended
 *                  ↑___________|  (nothing was sent: another candidate, or the route has changed)
 *
 * One object, no promises. Whatever happens, it ends once, lets go of what it holds, and is counted once.
 */

export interface DispatchContext {
  readonly table: RoutingTable<WorkerEndpoint>;
  readonly telemetry: DispatchTelemetry;
  readonly monotonic: () => number;
  readonly random: () => number;
  readonly newJobId: () => string;
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
  /** Told of what should not have happened. */
  readonly onBug: (error: unknown) => void;
  /** Called once when the dispatch has ended. */
  readonly onEnded: (dispatch: Dispatch) => void;
}

type Phase = 'reading' | 'forwarding' | 'answering' | 'ended';

export class Dispatch implements ForwardHandler {
  readonly #context: DispatchContext;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #arrived: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #phase: Phase = 'reading';
  #target: Target | undefined;
  #job: JobHeaders | undefined;
  #jobId: string | undefined;
  /** To any worker; see `jobToWorker`. */
  #headers: string[] = [];
  #body: Buffer | StreamedBody | null = null;
  #route: CompiledRoute<WorkerEndpoint> | undefined;
  #placement: Placement<WorkerEndpoint> | undefined;
  #tried: WorkerEndpoint[] = [];
  #series: Series | undefined;
  #exchange: Exchange | undefined;
  #isRouted = false;
  #outcome: Outcome = 'success';

  constructor(context: DispatchContext, request: IncomingMessage, response: ServerResponse) {
    this.#context = context;
    this.#request = request;
    this.#response = response;
    this.#arrived = context.monotonic();
    response.on('close', () => this.#onClosed());
    response.on('drain', () => this.#exchange?.resume());
    this.#timer = context.timeoutMs > 0 ? setTimeout(onTimeout, context.timeoutMs, this) : undefined;
  }

  start(): void {
    try {
      this.#target = parseTarget(this.#request.url ?? '');
      this.#job = readJobHeaders(this.#request.rawHeaders);
      this.#jobId = this.#job.jobId ?? this.#context.newJobId();
      this.#readBody(this.#job);
    } catch (error) {
      if (!(error instanceof LanewiseError)) this.#context.onBug(error);
      this.#fail(error instanceof LanewiseError ? error : proxyFailed(error), 'aborted');
    }
  }

  /** Ends what is left when the proxy must go. */
  shutDown(): void {
    // Not the worker's doing, so the judge must not count it.
    this.#fail(shuttingDown(), 'aborted');
  }

  #readBody(job: JobHeaders): void {
    const bytesMax = this.#context.bodyBytesMax;
    const length = job.contentLength ?? 0;
    if (bytesMax > 0 && length > bytesMax) throw bodyTooLarge(bytesMax, length);
    if (job.chunked || length > SMALL_BODY_BYTES_MAX) {
      this.#body = new StreamedBody(this.#request, bytesMax);
      this.#begin();
    } else if (length > 0) {
      readSmallBody(this.#request, (body) => {
        this.#body = body;
        this.#begin();
      });
    } else {
      this.#begin();
    }
  }

  #begin(): void {
    if (this.#phase !== 'reading') return;
    const { socket } = this.#request;
    this.#headers = jobToWorker(this.#job!, this.#jobId!, this.#target!.queue, {
      remoteAddress: socket.remoteAddress,
      encrypted: 'encrypted' in socket,
    });
    this.#phase = 'forwarding';
    this.#decide();
  }

  /** Takes the queue's route as it is now, and a lane and a worker by it. */
  #decide(): void {
    const { queue } = this.#target!;
    const { tenant, stickyKey, lane: override } = this.#job!;
    const route = this.#context.table.routeFor(queue, tenant);
    this.#route = route;
    if (route === undefined) {
      this.#fail(nobodyServes(queue), 'unreachable');
    } else if (route.strategy !== 'hash_ring') {
      this.#fail(strategyUnavailable(route), 'unreachable');
    } else if (override !== undefined && !this.#context.table.queues.get(queue)!.policy.laneOverride) {
      this.#fail(overrideNotAllowed(queue), 'aborted');
    } else {
      this.#place(route, stickyKey ?? this.#jobId!, override);
    }
  }

  #place(route: CompiledRoute<WorkerEndpoint>, key: string, override: Lane | undefined): void {
    const placement = decide(route, key, override, this.#context.random, this.#tried);
    if (placement !== undefined) this.#forward(route, placement);
    else this.#fail(this.#tried.length > 0 ? allUnreachable(this.#tried) : nobodyHome(route), 'unreachable');
  }

  #forward(route: CompiledRoute<WorkerEndpoint>, placement: Placement<WorkerEndpoint>): void {
    const { endpoint, lane } = placement;
    const { version } = endpoint.worker;
    this.#placement = placement;
    this.#series = this.#context.telemetry.seriesOf(route.queue, route.tenant, lane, version);
    this.#series.inFlight++;
    occupy(placement);
    this.#exchange = endpoint.forwarder!.forward(
      {
        method: this.#request.method!,
        path: this.#target!.rest,
        headers: [...this.#headers, ...attemptHeaders(lane, version, 1)],
        body: this.#body,
      },
      this,
    );
  }

  /** Gives back the place on the worker. */
  #release(): void {
    const placement = this.#placement;
    if (placement === undefined) return;
    this.#placement = undefined;
    vacate(placement);
    this.#series!.inFlight--;
  }

  onSending(): boolean {
    if (!this.#routeStands()) return false;
    this.#countRouted();
    return true;
  }

  /**
   * A split that moved while a connection was made counts for this job too: after a rollback is acknowledged, not one
   * more job is written to the canary.
   */
  #routeStands(): boolean {
    return this.#context.table.routeFor(this.#target!.queue, this.#job!.tenant) === this.#route;
  }

  /** What the judge hears of this job; undefined where no deployment is open. */
  #recent(): LaneTotals | undefined {
    const deploymentId = this.#route?.deploymentId;
    if (deploymentId === undefined || this.#series === undefined) return undefined;
    return this.#context.telemetry.recentOf(deploymentId)[this.#series.lane];
  }

  #countRouted(): void {
    const recent = this.#recent();
    if (recent !== undefined) recent.routed++;
    this.#isRouted = true;
  }

  onHead(status: number, reason: string, raw: readonly string[]): void {
    const placement = this.#placement!;
    const { headers, hasRetryAfter } = answerFromWorker(raw);
    const { worker } = placement.endpoint;
    headers.push(
      'X-Job-Id',
      this.#jobId!,
      'X-Canary-Lane',
      placement.lane,
      'X-Canary-Version',
      worker.version,
      'X-Canary-Worker',
      worker.id,
    );
    const { deploymentId } = this.#route!;
    if (deploymentId !== undefined) headers.push('X-Canary-Deployment', deploymentId);
    if (placement.fallback) headers.push('X-Canary-Fallback', 'true');
    this.#outcome = outcomeOfAnswer(status, hasRetryAfter);
    this.#phase = 'answering';
    this.#response.writeHead(status, reason, headers);
  }

  onBody(chunk: Buffer): boolean {
    return this.#response.write(chunk);
  }

  onComplete(trailers: readonly string[]): void {
    if (trailers.length > 0) this.#response.addTrailers(pairs(trailers));
    this.#response.end();
    this.#end(this.#outcome);
  }

  onFailure(failure: ForwardFailure, cause: Error): void {
    if (this.#phase === 'ended') return;
    const endpoint = this.#placement!.endpoint;
    switch (failure) {
      case 'unsent':
        this.#release();
        // Either the connection failed, or the route changed meanwhile; only the first is the worker's doing.
        if (this.#routeStands()) this.#tried.push(endpoint);
        this.#decide();
        break;
      case 'timeout':
        this.#fail(workerSilent(endpoint.worker.id), 'timeout');
        break;
      case 'invalid':
        this.#fail(notForwardable(cause), 'aborted');
        break;
      case 'broken':
        if (cause instanceof BodyTooLarge) this.#fail(bodyTooLarge(this.#context.bodyBytesMax), 'aborted');
        else this.#fail(workerBroken(endpoint.worker.id, cause), 'failure');
        break;
      default:
        failure satisfies never;
    }
  }

  onTimeout(): void {
    const { timeoutMs } = this.#context;
    if (this.#phase === 'reading') this.#fail(requestTooSlow(timeoutMs), 'aborted');
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
    if (this.#response.headersSent) {
      // The answer can't be taken back; breaking off is the only way left to say that it is not whole.
      this.#response.destroy();
    } else {
      replyLocally(this.#response, error, this.#jobId, !this.#request.complete);
    }
    this.#end(outcome);
  }

  #end(outcome: Outcome): void {
    this.#phase = 'ended';
    clearTimeout(this.#timer);
    const placement = this.#placement;
    // The last worker that was chosen stands for the dispatch, also if it was never reached.
    if (this.#series !== undefined) {
      const latencyMs = this.#context.monotonic() - this.#arrived;
      countOutcome(this.#series, outcome, latencyMs);
      if (!this.#isRouted) this.#countRouted();
      const recent = this.#recent();
      if (recent !== undefined) countOutcome(recent, outcome, latencyMs);
      if (outcome !== 'aborted') placement?.endpoint.noteJob(outcome === 'success', latencyMs);
      const counts = this.#context.telemetry.countsOf(this.#series.queue);
      if (placement?.fallback === true) counts.fallbacks++;
      if (placement?.spilled === true) counts.spills++;
    }
    this.#release();
    this.#context.onEnded(this);
  }
}

function onTimeout(dispatch: Dispatch): void {
  dispatch.onTimeout();
}

function pairs(flat: readonly string[]): [string, string][] {
  const result: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) result.push([flat[i]!, flat[i + 1]!]);
  return result;
}
