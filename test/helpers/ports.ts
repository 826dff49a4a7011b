import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Ports that nobody listens on, for servers that must know theirs before they start, and for those that come back to the
 * same one. They lie below those that Linux gives to outgoing connections, or one of these might be there by then. Five
 * digits, for the fault suite's `Relay.translate`.
 */
const FIRST = 12_000;
const LAST = 32_000;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    const server = createServer();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
