import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Two connections that have become one: what comes on either goes out on the other, until one side ends. A side that
 * is done writing may still read.
 */
export class Tunnel {
  readonly #client: Socket;
  readonly #worker: Duplex;
  #onClosed: (() => void) | undefined;

  /**
   * @param idleMs with nothing either way; 0: for ever
   * @param onClosed is called once
   */
  constructor(client: Socket, worker: Duplex, idleMs: number, onClosed: () => void) {
    this.#client = client;
    this.#worker = worker;
    this.#onClosed = onClosed;
    for (const end of [client, worker]) {
      end.on('error', () => this.close());
      end.on('close', () => this.close());
    }
    client.pipe(worker);
    worker.pipe(client);
    // Either side sees what goes in either direction.
    client.setTimeout(idleMs, () => this.close());
  }

  close(): void {
    const onClosed = this.#onClosed;
    if (onClosed === undefined) return;
    this.#onClosed = undefined;
    // What is written already still goes out.
    this.#client.destroySoon();
    this.#worker.end(() => this.#worker.destroy());
    onClosed();
  }
}
