import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { listen, stopListening, type ListenAddress } from '../src/runtime/listen.ts';
import type { ServerTls } from '../src/runtime/tls/server-tls.ts';
import { connectionEvent, createWebServer } from '../src/runtime/tls/web-server.ts';
import { LanewiseError } from '../src/core/errors.ts';
import { batchForm, checkBatchHead } from './enqueue-batch.ts';
import { EnqueueRequest, type EnqueueContext } from './enqueue-request.ts';
import { singleForm } from './enqueue-single.ts';
import type { Enqueuer } from './enqueuer.ts';
import {
  loopDetected,
  notHttp,
  noUpgrade,
  overloaded,
  proxyFailed,
  tooManyConnections,
} from './dispatch-errors.ts';
import { Dispatch, type DispatchContext } from './dispatch.ts';
import { DISPATCH_PREFIX, parseTarget, readJobHeaders } from './job.ts';
import { replyLocally } from './local-reply.ts';
import { checkFraming, checkVersion, pathOf } from './request-form.ts';
import { RunningList } from './running-list.ts';
import type { Running } from './running.ts';
import { countError, UNKNOWN_QUEUE } from './telemetry.ts';
import { isUpgrade as wantsUpgrade, responseOn } from './upgrade.ts';
import { hopOf } from './worker-headers.ts';

/**
 * The dispatch listener: connections, the limit on what is under way, and the drain. By the strategy of its queue a
 * request becomes a dispatch to a worker, or puts its jobs into lanes.
 */

export interface DispatchServerOptions {
  readonly context: Omit<DispatchContext, 'onEnded'>;
  readonly enqueuer: Enqueuer;
  /** Of a job that is put into a lane. */
  readonly laneBodyBytesMax: number;
  readonly maxInFlight: number;
  readonly maxConnections: number;
  /** Left out: plain HTTP. */
  readonly tls?: ServerTls | undefined;
}

/** Longer than the idle time of usual clients and balancers (60 s), so that it is they who close. */
const KEEP_ALIVE_MS = 75_000;
/** For the head of a request. Slower than that is no producer. */
const HEAD_TIMEOUT_MS = 30_000;

export class DispatchServer {
  readonly #options: DispatchServerOptions;
  readonly #context: DispatchContext;
  readonly #enqueueContext: EnqueueContext;
  readonly #server: Server;
  readonly #running = new RunningList();
  /** Connections that end with what is answered already. */
  readonly #closing = new WeakSet<Socket>();
  /** Connections over the limit: each gets one answer. */
  readonly #surplus = new WeakSet<Socket>();
  #surplusCount = 0;
  #connections = 0;
  #draining = false;
  #onIdle: (() => void) | undefined;

  constructor(options: DispatchServerOptions) {
    this.#options = options;
    this.#context = { ...options.context, onEnded: (running) => this.#onEnded(running) };
    this.#enqueueContext = { ...this.#context, enqueuer: options.enqueuer };
    this.#server = createWebServer(
      {
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: HEAD_TIMEOUT_MS,
        // A job's body may take as long as it likes; the dispatch timeout bounds the whole.
        requestTimeout: 0,
        // Node's own answer to that lacks our headers.
        requireHostHeader: false,
        shouldUpgradeCallback: wantsUpgrade,
        noDelay: true,
      },
      options.tls,
      (request, response) => this.#onRequest(request, response),
    );
    // Whoever waits for 100 gets it when a worker wants the body; other expectations are ignored.
    for (const event of ['checkContinue', 'checkExpectation'] as const)
      this.#server.on(event, (request, response) => this.#onRequest(request, response));
    this.#server.on('upgrade', (request, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      this.#onRequest(request, responseOn(socket as Socket, request), true);
    });
    this.#server.on(connectionEvent(options.tls), (socket: Socket) => this.#onConnection(socket));
    this.#server.on('connect', onConnect);
    this.#server.on('clientError', (error, socket) => this.#onClientError(error, socket as Socket));
  }

  get inFlight(): number {
    return this.#running.size;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  /** Of producers, within the limit. */
  get connections(): number {
    return this.#connections;
  }

  async listen(address: Omit<ListenAddress, 'variables'>): Promise<AddressInfo> {
    return listen(this.#server, {
      ...address,
      variables: 'LANEWISE_PROXY_HOST and LANEWISE_PROXY_PORT',
    });
  }

  /**
   * Takes no new connections, lets running dispatches finish until the deadline, ends the rest. What comes on a
   * connection that is open already is still served, and its producer told to close it. Idle ones are closed only after
   * `idleGraceMs`: sooner, they would be closed on whoever is just sending.
   */
  async drain(timeoutMs: number, idleGraceMs: number): Promise<void> {
    this.#draining = true;
    // Of those that have no head yet.
    for (const { response } of this.#running.newestFirst()) response.shouldKeepAlive = false;
    const { monotonic } = this.#context;
    const began = monotonic();
    const { closed } = await stopListening(this.#server, monotonic);
    await settledWithin(closed, Math.min(idleGraceMs, timeoutMs));
    this.#server.closeIdleConnections();
    if (this.#running.size > 0) {
      const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
      await settledWithin(idle, Math.max(0, timeoutMs - (monotonic() - began)));
    }
    // The last first: they may wait for the places of those before them, and no job should begin now.
    for (const running of this.#running.newestFirst()) running.shutDown();
    // And the checks for slow ones, which keep the server otherwise.
    this.#server.close();
    // Connections of which the answer is out but not yet flushed get the same tick as everybody else.
    setImmediate(() => this.#server.closeAllConnections());
    await closed;
  }

  #onConnection(socket: Socket): void {
    if (this.#connections >= this.#options.maxConnections) {
      this.#surplus.add(socket);
      this.#surplusCount++;
      socket.once('close', () => this.#surplusCount--);
      return;
    }
    this.#connections++;
    socket.once('close', () => this.#connections--);
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, isUpgrade = false): void {
    if (this.#draining) response.shouldKeepAlive = false;
    if (this.#surplusCount > 0 && this.#surplus.has(request.socket)) {
      response.shouldKeepAlive = false;
      this.#refuse(request, response, tooManyConnections(this.#options.maxConnections));
      return;
    }
    if (this.#running.size >= this.#options.maxInFlight) {
      this.#refuse(request, response, overloaded(this.#options.maxInFlight));
      return;
    }
    try {
      const running = this.#open(request, response, isUpgrade);
      this.#running.add(running);
      running.start();
    } catch (error) {
      if (!(error instanceof LanewiseError)) this.#context.onBug(error);
      this.#refuse(request, response, error instanceof LanewiseError ? error : proxyFailed(error));
    }
  }

  /** @throws LanewiseError INVALID_DISPATCH */
  #open(request: IncomingMessage, response: ServerResponse, isUpgrade: boolean): Running {
    checkVersion(request);
    const job = readJobHeaders(request.rawHeaders);
    checkFraming(request, job);
    const target = parseTarget(pathOf(request.url!, job.host));
    const { queue, isBatch } = target;
    const { enqueuer, laneBodyBytesMax: bodyBytesMax } = this.#options;
    const { newJobId, via } = this.#context;
    if (job.via?.includes(via) === true) throw loopDetected(job.via);
    const hop = hopOf(request, via);
    const context = this.#enqueueContext;
    if (isBatch) {
      checkBatchHead(target, request.method);
      const source = { queue, head: job, hop, bodyBytesMax, newJobId };
      return new EnqueueRequest(context, batchForm(source), request, response);
    }
    const arrival = { target, job, jobId: job.jobId ?? newJobId(), isUpgrade };
    const strategy = enqueuer.strategyFor(queue, job.tenant);
    // Nobody knows the queue, or a worker is to have the job at once.
    if (strategy === undefined || strategy === 'hash_ring')
      return new Dispatch(this.#context, arrival, request, response);
    if (isUpgrade) throw noUpgrade(queue, strategy);
    const form = singleForm(arrival, request.method!, hop, bodyBytesMax);
    return new EnqueueRequest(context, form, request, response);
  }

  /** What Node's parser refuses is answered, and the connection closed: nobody knows where the next request begins. */
  #onClientError(error: Error & { code?: string }, socket: Socket): void {
    if (this.#closing.has(socket)) return;
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    this.#closing.add(socket);
    const [status, reason] = problemOf(error);
    const begun = this.#running.newestFirst().filter(({ request }) => request.socket === socket);
    if (begun.length === 0) refuseBytes(socket, status, reason);
    else if (begun.length === 1 && !begun[0]!.request.complete) begun[0]!.refuse(notHttp(reason));
    // There are answers to come to requests before this one, and this one's would be taken for one of those.
    else socket.destroy();
  }

  /** Of no queue yet, as its name may be anything. */
  #refuse(request: IncomingMessage, response: ServerResponse, error: LanewiseError): void {
    if (error.code === 'INVALID_DISPATCH') {
      // Where one thing is wrong with a head, what follows may not be what it seems.
      response.shouldKeepAlive = false;
      this.#closing.add(request.socket);
    }
    countError(this.#context.telemetry.countsOf(UNKNOWN_QUEUE), error.code);
    replyLocally(request, response, error, undefined);
  }

  #onEnded(running: Running): void {
    this.#running.delete(running);
    if (this.#running.size === 0) this.#onIdle?.();
  }
}

async function settledWithin(done: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([done, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

function problemOf({ code }: { readonly code?: string }): readonly [status: string, reason: string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', 'The header is too large'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'The request did not arrive in time'];
    default:
      return ['400 Bad Request', 'The request is not well-formed HTTP/1.1'];
  }
}

/** Tunnels to anywhere are not what this is for. */
function onConnect(_request: IncomingMessage, socket: Duplex): void {
  refuseBytes(
    socket,
    '400 Bad Request',
    `Dispatches go to ${DISPATCH_PREFIX}{queue}, by other methods than CONNECT`,
  );
}

function refuseBytes(socket: Duplex, status: string, reason: string): void {
  const body = JSON.stringify({ error: reason, code: 'INVALID_DISPATCH', details: {} });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `X-Canary-Error: INVALID_DISPATCH\r\nConnection: close\r\n\r\n${body}`,
  );
}
