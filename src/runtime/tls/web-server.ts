import {
  createServer as createPlainServer,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { ServerTls } from './server-tls.ts';

/** For the whole handshake. It takes milliseconds, and who holds one open holds a connection that nobody counts yet. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** An HTTP/1.1 server, over TLS if there is some; it behaves alike. */
export function createWebServer(
  options: ServerOptions,
  tls: ServerTls | undefined,
  onRequest?: RequestListener,
): Server {
  if (tls === undefined) return createPlainServer(options, onRequest);
  const server = createTlsServer(
    {
      ...options,
      ...tls.context,
      requestCert: tls.asksClients,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    },
    onRequest,
  );
  tls.follow(server);
  // Node hands failed handshakes to those who answer bad HTTP; but there is nobody yet to whom one could speak it.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  // Those in the middle of a handshake are no connections of HTTP, which closes only its own.
  const handshaking = new Map<string, Socket>();
  server.on('connection', (socket: Socket) => {
    const ends = endsOf(socket);
    handshaking.set(ends, socket);
    socket.once('close', () => {
      if (handshaking.get(ends) === socket) handshaking.delete(ends);
    });
  });
  server.prependListener('secureConnection', (socket) => handshaking.delete(endsOf(socket)));
  const closeAllConnections = server.closeAllConnections.bind(server);
  server.closeAllConnections = () => {
    closeAllConnections();
    for (const socket of handshaking.values()) socket.destroy();
  };
  return server;
}

/** The same of the socket below and the one with TLS. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** The event that tells of a connection on which requests may come, with the socket that those will have. */
export function connectionEvent(tls: ServerTls | undefined): 'connection' | 'secureConnection' {
  return tls === undefined ? 'connection' : 'secureConnection';
}
