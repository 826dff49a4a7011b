import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocketServerLike } from '@hono/node-server';
import { WebSocketServer, type WebSocket } from 'ws';
import { LanewiseError } from '../../src/core/errors.ts';
import { selectProtocol } from '../event-stream/subprotocols.ts';
import { answerRaw } from './raw-answer.ts';

/** The WebSockets of a server: their limits, their heartbeat, their end. What is said on them is not its business. */
export interface WebSockets {
  /** For the adapter, which does the handshakes. */
  readonly server: WebSocketServerLike;
  /** Ends those that have not answered the last ping, and pings the others. Comes by itself, too. */
  beat(): void;
  /** Says goodbye to all, refuses new ones, and breaks off those that have not answered after `graceMs`. */
  close(graceMs: number): void;
}

/** Clients have nothing to say; more than a stray word is an error, 1009. */
const MESSAGE_BYTES_MAX = 4096;

/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const CLOSE_GOING_AWAY = 1001;

/** For the answer to our goodbye; a client that is asleep must not hold up the shutdown. */
const GOODBYE_MS = 1000;

/** @param heartbeatMs between pings; a client that has not answered one by the next is gone */
export function createWebSockets(heartbeatMs: number): WebSockets {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    handleProtocols: selectProtocol,
  });
  server.on('wsClientError', refuseHandshake);

  const awaited = new WeakSet<WebSocket>();
  server.on('connection', (socket) => {
    socket.on('pong', () => awaited.delete(socket));
    // The protocol's own errors end the connection by themselves; that is all there is to do.
    socket.on('error', () => undefined);
  });
  const beat = (): void => {
    for (const socket of server.clients) {
      if (awaited.has(socket)) {
        socket.terminate();
        continue;
      }
      awaited.add(socket);
      socket.ping();
    }
  };
  const heartbeat = setInterval(beat, heartbeatMs);
  heartbeat.unref();

  return {
    // It is one; the types of the adapter ask for more than those of `ws` promise.
    server: server as unknown as WebSocketServerLike,
    beat,
    close(graceMs) {
      clearInterval(heartbeat);
      // First, so that a handshake under way is refused.
      server.close();
      for (const socket of server.clients) socket.close(CLOSE_GOING_AWAY, 'the server is shutting down');
      const breakOff = setTimeout(
        () => {
          for (const socket of server.clients) socket.terminate();
        },
        Math.min(graceMs, GOODBYE_MS),
      );
      server.once('close', () => clearTimeout(breakOff));
    },
  };
}

function refuseHandshake(error: Error, socket: Duplex, _request: IncomingMessage): void {
  const details = { handshake: error.message };
  const refusal = new LanewiseError('VALIDATION_FAILED', 'The WebSocket handshake is not valid', { details });
  void answerRaw(socket, Response.json(refusal.body, { status: refusal.status }));
}
