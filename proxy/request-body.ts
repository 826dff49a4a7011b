import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/**
 * A request's body on its way to a worker. Small bodies of known length are read first and sent along with the head
 * in one write; everything else is streamed and never held whole.
 */

/** What fits into one segment of a usual socket buffer anyway. */
export const SMALL_BODY_BYTES_MAX = 16_384;

/**
 * Reads a body that is known to be small.
 * @param done is called once, with the whole body; not at all if the client goes away
 */
export function readSmallBody(request: IncomingMessage, done: (body: Buffer) => void): void {
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  request.on('data', (chunk: Buffer) => {
    if (first === undefined) first = chunk;
    else (more ??= [first]).push(chunk);
  });
  request.on('end', () => done(more === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(more)));
}

/** The body grew over the limit on the way. */
export class BodyTooLarge extends Error {}

/**
 * The request's stream, apart from its socket: destroying this one (as the forwarder does when a worker breaks off)
 * leaves the connection to the producer alone, so that the producer can be told.
 */
export class StreamedBody extends Readable {
  readonly #request: IncomingMessage;
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax 0: no limit */
  constructor(request: IncomingMessage, bytesMax: number) {
    super({ autoDestroy: true });
    this.#request = request;
    this.#bytesMax = bytesMax;
    request.pause();
    request.on('data', this.#onData);
    request.on('end', this.#onEnd);
    request.on('error', this.#onError);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    if (this.#bytesMax > 0 && this.#bytes > this.#bytesMax) this.destroy(new BodyTooLarge());
    else if (!this.push(chunk)) this.#request.pause();
  };

  readonly #onEnd = (): void => {
    this.push(null);
  };

  readonly #onError = (error: Error): void => {
    this.destroy(error);
  };

  override _read(): void {
    this.#request.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#request.off('data', this.#onData);
    this.#request.off('end', this.#onEnd);
    this.#request.off('error', this.#onError);
    // What the producer still sends is thrown away, so that it gets to read the answer.
    this.#request.on('error', () => {});
    this.#request.resume();
    callback(error);
  }
}
