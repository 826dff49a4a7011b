import type { createServer, Server, ServerOptions, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer, getRequestListener } from '@hono/node-server';
import type { ControlApp } from './app.ts';
import { LanewiseError, type ErrorCode } from '../src/core/errors.ts';
import { listen, stopListening, urlOf } from '../src/runtime/listen.ts';
import type { ServerTls } from '../src/runtime/tls/server-tls.ts';
import { createWebServer } from '../src/runtime/tls/web-server.ts';
import { answeringRefusals, isWebSocketRequest } from './http/upgrades.ts';
import { createWebSockets, type WebSockets } from './http/web-sockets.ts';

/** The control plane on a socket. */
export interface ControlServer {
  readonly address: AddressInfo;
  readonly url: string;
  readonly port: number;
  /**
   * Takes no more requests, lets the running ones end, says goodbye on WebSockets, and breaks off what is left after
   * `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

export interface ControlServerOptions {
  readonly app: Pick<ControlApp, 'fetch'>;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Left out: plain HTTP. */
  readonly tls?: ServerTls | undefined;
  /** Between two pings of a WebSocket. */
  readonly heartbeatMs?: number;
  /** How long idle connections are kept after `close`, for those who are just sending. */
  readonly idleGraceMs?: number;
}

interface Parts {
  readonly server: Server;
  readonly webSockets: WebSockets;
  readonly running: ReadonlySet<ServerResponse>;
}

const IDLE_GRACE_MS = 1000;

/** Below the 60 s after which usual load balancers close a connection on which nothing happens. */
const HEARTBEAT_MS = 30_000;

const VARIABLES = 'LANEWISE_CONTROL_HOST and LANEWISE_CONTROL_PORT';

/** A whole request; no documented one takes more than a moment to send. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Longer than the 60 s of usual load balancers, which otherwise reuse a connection that we have just closed. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** @throws ListenError */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { app, host, port, tls } = options;
  const webSockets = createWebSockets(options.heartbeatMs ?? HEARTBEAT_MS);
  const server = createControlServer(app, webSockets, tls);
  const running = followAnswers(server);
  const address = await listen(server, { host, port, variables: VARIABLES });
  let closing: Promise<void> | undefined;
  return {
    address,
    url: urlOf(address, tls === undefined ? 'http' : 'https'),
    port: address.port,
    close: (graceMs) =>
      (closing ??= closeServer(
        { server, webSockets, running },
        { graceMs, idleGraceMs: options.idleGraceMs ?? IDLE_GRACE_MS },
      )),
  };
}

function createControlServer(
  app: Pick<ControlApp, 'fetch'>,
  webSockets: WebSockets,
  tls: ServerTls | undefined,
): Server {
  const listener = getRequestListener(app.fetch, {
    // The data plane may live in this process; its Request and Response stay Node's own.
    overrideGlobalObjects: false,
    errorHandler: () =>
      Response.json(new LanewiseError('VALIDATION_FAILED', BAD_REQUEST).body, {
        status: 400,
        headers: { connection: 'close' },
      }),
  });
  const server = createAdaptorServer({
    // Of upgrades only; the listener below has the requests.
    fetch: answeringRefusals(app),
    websocket: { server: webSockets.server },
    overrideGlobalObjects: false,
    // Without a Host our own answer is given, not Node's empty one.
    serverOptions: {
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      requireHostHeader: false,
      shouldUpgradeCallback: isWebSocketRequest,
    },
    createServer: ((options: ServerOptions) =>
      createWebServer(options, tls, (request, response) => {
        // The health checks of older load balancers.
        if (request.httpVersion === '1.0') request.headers.host ??= 'localhost';
        void listener(request, response);
      })) as typeof createServer,
  }) as Server;
  server.on('clientError', answerClientError);
  return server;
}

/** Answers that are under way. From when the server stops listening they are the last on their connections, and say so. */
function followAnswers(server: Server): ReadonlySet<ServerResponse> {
  const running = new Set<ServerResponse>();
  server.prependListener('request', (_request, response: ServerResponse) => {
    if (!server.listening) response.shouldKeepAlive = false;
    running.add(response);
    response.once('close', () => running.delete(response));
  });
  return running;
}

const BAD_REQUEST = 'The request is not valid HTTP';

interface RawSocket {
  readonly writable: boolean;
  end(text: string): void;
  destroy(): void;
}

/** What is not even HTTP has no handler; it gets the documented body all the same. */
function answerClientError(error: NodeJS.ErrnoException, socket: RawSocket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, code, message]: readonly [string, ErrorCode, string] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [
          '431 Request Header Fields Too Large',
          'PAYLOAD_TOO_LARGE',
          'The request headers are larger than 16 KiB',
        ]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'VALIDATION_FAILED', 'The request took too long to arrive']
        : ['400 Bad Request', 'VALIDATION_FAILED', BAD_REQUEST];
  const text = JSON.stringify(new LanewiseError(code, message).body);
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
  );
}

async function closeServer(
  { server, webSockets, running }: Parts,
  { graceMs, idleGraceMs }: { readonly graceMs: number; readonly idleGraceMs: number },
): Promise<void> {
  const breakOff = setTimeout(() => server.closeAllConnections(), graceMs);
  webSockets.close(graceMs);
  const { closed } = await stopListening(server, () => performance.now());
  for (const response of running) response.shouldKeepAlive = false;
  // Idle ones are kept for a while: closed at once, they would be closed on whoever is just sending.
  const closeIdle = setTimeout(() => server.closeIdleConnections(), Math.min(idleGraceMs, graceMs));
  await closed;
  clearTimeout(breakOff);
  clearTimeout(closeIdle);
}
