import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { listen } from '../src/runtime/listen.ts';
import { overloaded } from './dispatch-errors.ts';
import { Dispatch, type DispatchContext } from './dispatch.ts';
import { replyLocally } from './local-reply.ts';
import { countError, UNKNOWN_QUEUE } from './telemetry.ts';

/** The dispatch listener: connections, the limit on what is under way, and the drain. */

export interface DispatchServerOptions {
  readonly context: Omit<DispatchContext, 'onEnded'>;
  readonly maxInFlight: number;
}

/** Longer than the idle time of usual clients and balancers (60 s), so that it is they who close. */
const KEEP_ALIVE_MS = 75_000;
/** For the head of a request. Slower than that is no producer. */
const HEAD_TIMEOUT_MS = 30_000;

export class DispatchServer {
  readonly #options: DispatchServerOptions;
  readonly #context: DispatchContext;
  readonly #server: Server;
  readonly #running = new Set<Dispatch>();
  #draining = false;
  #onIdle: (() => void) | undefined;

  constructor(options: DispatchServerOptions) {
    this.#options = options;
    this.#context = { ...options.context, onEnded: (dispatch) => this.#onEnded(dispatch) };
    this.#server = createServer(
      {
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: HEAD_TIMEOUT_MS,
        // A job's body may take as long as it likes; the dispatch timeout bounds the whole.
        requestTimeout: 0,
        noDelay: true,
      },
      (request, response) => this.#onRequest(request, response),
    );
    this.#server.on('clientError', onClientError);
  }

  get inFlight(): number {
    return this.#running.size;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  async listen(host: string, port: number): Promise<AddressInfo> {
    return listen(this.#server, { host, port, variables: 'LANEWISE_PROXY_HOST and LANEWISE_PROXY_PORT' });
  }

  /** Takes no new connections, lets running dispatches finish until the deadline, ends the rest. */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    if (this.#running.size > 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
        timer = setTimeout(resolve, timeoutMs);
      });
      clearTimeout(timer);
    }
    for (const dispatch of this.#running) dispatch.shutDown();
    this.#server.closeIdleConnections();
    // Connections of which the answer is out but not yet flushed get the same tick as everybody else.
    setImmediate(() => this.#server.closeAllConnections());
    await closed;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (this.#draining) response.shouldKeepAlive = false;
    if (this.#running.size >= this.#options.maxInFlight) {
      countError(this.#context.telemetry.countsOf(UNKNOWN_QUEUE), 'PROXY_OVERLOADED');
      replyLocally(response, overloaded(this.#options.maxInFlight), undefined, !request.complete);
      return;
    }
    const dispatch = new Dispatch(this.#context, request, response);
    this.#running.add(dispatch);
    dispatch.start();
  }

  #onEnded(dispatch: Dispatch): void {
    this.#running.delete(dispatch);
    if (this.#running.size === 0) this.#onIdle?.();
  }
}

/** What Node's parser refuses never becomes a request; it is answered here, and the connection closed. */
function onClientError(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, reason] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'The header is too large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'The request did not arrive in time']
        : ['400 Bad Request', 'The request is not well-formed HTTP/1.1'];
  const body = JSON.stringify({ error: reason, code: 'INVALID_DISPATCH', details: {} });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `X-Canary-Error: INVALID_DISPATCH\r\nConnection: close\r\n\r\n${body}`,
  );
}
