import type { IncomingMessage, ServerResponse } from 'node:http';

/** Long enough for an answer to get to whoever is still sending. */
const LINGER_MS = 5000;

/**
 * The answer is out and its request is not all in. Closing with unread bytes resets the connection, and the answer may
 * be lost with it; so the rest is read and thrown away, for a while.
 */
export function linger(request: IncomingMessage): void {
  if (!request.complete) discardRest(request, () => request.socket.destroy());
}

/** As `linger`, where the connection is to be closed: the answer ends, and with it the connection, when the request does. */
export function endAfter(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  if (request.complete) {
    response.end(body);
    return;
  }
  response.write(body);
  request.once('end', () => response.end());
  discardRest(request, () => response.end());
}

function discardRest(request: IncomingMessage, onLate: () => void): void {
  request.resume();
  const timer = setTimeout(onLate, LINGER_MS).unref();
  request.once('close', () => clearTimeout(timer));
}
