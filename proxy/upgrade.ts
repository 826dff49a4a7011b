import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/**
 * A connection that its client wants to change to WebSocket. Only that: of other protocols (h2c, say) a worker would
 * read requests that we have not looked at, so an `Upgrade` to them is ignored, as a server may (RFC 9110 §7.8).
 */
export const UPGRADE = 'websocket';

/** One that has a body is a request like any other. */
export function isUpgrade({ method, headers, httpVersionMinor }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    httpVersionMinor === 1 &&
    headers.upgrade?.toLowerCase() === UPGRADE &&
    headers['transfer-encoding'] === undefined &&
    (headers['content-length'] ?? '0') === '0'
  );
}

/** The connection is ours alone from here on; this is for what is answered in place of 101. */
export function responseOn(socket: Socket, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  socket.on('error', () => socket.destroy());
  socket.on('drain', () => response.emit('drain'));
  response.on('finish', () => socket.destroySoon());
  return response;
}

/** Takes the connection back from a response that was not used, and says that the protocol is another now. */
export function switchProtocols(response: ServerResponse, headers: readonly string[]): Socket | undefined {
  const { socket } = response;
  if (socket === null || socket.destroyed) return undefined;
  response.detachSocket(socket);
  let head = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${UPGRADE}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]!}: ${headers[i + 1]!}\r\n`;
  socket.write(`${head}\r\n`, 'latin1');
  return socket;
}
