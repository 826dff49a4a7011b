import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Writes a whole answer on a connection that Node no longer treats as HTTP, since it asked for an upgrade, and closes
 * it. Resolves when that is done, one way or the other.
 */
export async function answerRaw(socket: Duplex, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const lines = [`HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ''}`];
  response.headers.forEach((value, name) => {
    if (!OWN_HEADERS.has(name)) lines.push(`${name}: ${value}`);
  });
  lines.push(`content-length: ${body.length}`, 'connection: close', '', '');
  if (socket.destroyed) return;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  socket.once('close', () => resolve());
  socket.end(Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), body]), () => socket.destroy());
  await done;
}

const OWN_HEADERS = new Set(['content-length', 'transfer-encoding', 'connection']);
