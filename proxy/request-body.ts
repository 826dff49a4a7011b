import type { IncomingMessage } from 'node:http';
import type { LanewiseError } from '../src/core/errors.ts';
import { bodyTooLarge } from './dispatch-errors.ts';
import { passedThrough } from './header-names.ts';
import type { JobHeaders } from './job.ts';

/**
 * A request's body on its way to a worker. Small bodies of known length are read first and sent along with the head
 * in one write; everything else is streamed and never held whole.
 */

export type RequestBody = Buffer | StreamedBody | null;

/** What Node reads from a socket at once. Streamed, it would be held for nearly as long, and cost twice as much. */
const SMALL_BODY_BYTES_MAX = 65_536;

/**
 * @param bytesMax 0: no limit
 * @param onWanted tells the producer to go on, where it waits to be told; undefined where it doesn't
 * @param done is called once: with a small body when it is there, else at once; not at all if the client goes away
 * @throws LanewiseError if it says itself that it is over the limit
 */
export function readBody(
  request: IncomingMessage,
  { contentLength, chunked }: JobHeaders,
  bytesMax: number,
  onWanted: (() => void) | undefined,
  done: (body: RequestBody) => void,
): void {
  const length = contentLength ?? 0;
  if (bytesMax > 0 && length > bytesMax) throw bodyTooLarge(bytesMax, length);
  if (chunked || length > SMALL_BODY_BYTES_MAX || (onWanted !== undefined && length > 0))
    done(new StreamedBody(request, chunked ? undefined : length, bytesMax, onWanted));
  else if (length > 0) readSmallBody(request, done);
  else done(null);
}

function readSmallBody(request: IncomingMessage, done: (body: Buffer) => void): void {
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  request.on('data', (chunk: Buffer) => {
    if (first === undefined) first = chunk;
    else (more ??= [first]).push(chunk);
  });
  request.on('end', () => done(more === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(more)));
}

/**
 * For those who need all of it before they can do anything.
 * @param done is called once: with the body, or with what is wrong with it; not at all if the client goes away
 * @throws LanewiseError if it says itself that it is over the limit
 */
export function readWholeBody(
  request: IncomingMessage,
  { contentLength: length = 0 }: JobHeaders,
  bytesMax: number,
  done: (body: Buffer | LanewiseError) => void,
): void {
  if (length > bytesMax) throw bodyTooLarge(bytesMax, length);
  let chunks: Buffer[] | undefined = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (chunks === undefined) return;
    chunks.push(chunk);
    if (bytes <= bytesMax) return;
    // What the producer still sends is thrown away, so that it gets to read the answer.
    chunks = undefined;
    done(bodyTooLarge(bytesMax));
  });
  request.on('end', () => {
    if (chunks !== undefined) done(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  });
}

/** Whoever takes a streamed body. */
export interface BodySink {
  onBodyChunk(chunk: Buffer): void;
  /** @param trailers names and values, flat */
  onBodyEnd(trailers: readonly string[]): void;
  onBodyFailure(cause: Error): void;
}

/** The body grew over the limit on the way. */
export class BodyTooLarge extends Error {}

/** The request's stream, apart from its socket: whoever drops it leaves the connection to the producer alone. */
export class StreamedBody {
  /** Bytes; undefined where it doesn't say. */
  readonly length: number | undefined;
  readonly #request: IncomingMessage;
  readonly #bytesMax: number;
  readonly #onWanted: (() => void) | undefined;
  #sink: BodySink | undefined;
  #bytes = 0;

  /**
   * @param bytesMax 0: no limit
   * @param onWanted see `readBody`
   */
  constructor(
    request: IncomingMessage,
    length: number | undefined,
    bytesMax: number,
    onWanted: (() => void) | undefined,
  ) {
    this.#request = request;
    this.length = length;
    this.#bytesMax = bytesMax;
    this.#onWanted = onWanted;
  }

  /** Whether the producer sends nothing before it is told to. */
  get isAwaited(): boolean {
    return this.#onWanted !== undefined;
  }

  /** Begins to read; once. */
  start(sink: BodySink): void {
    this.#sink = sink;
    this.#onWanted?.();
    this.#request.on('data', this.#onData);
    this.#request.on('end', this.#onEnd);
    // Also where there is nothing to read, which would otherwise not be noticed.
    this.#request.resume();
  }

  pause(): void {
    this.#request.pause();
  }

  resume(): void {
    if (this.#sink !== undefined) this.#request.resume();
  }

  /** What the producer still sends is thrown away, so that it gets to read the answer. */
  drop(): void {
    this.#sink = undefined;
    this.#request.off('data', this.#onData);
    this.#request.off('end', this.#onEnd);
    this.#request.resume();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    if (this.#bytesMax > 0 && this.#bytes > this.#bytesMax) this.#sink?.onBodyFailure(new BodyTooLarge());
    else this.#sink?.onBodyChunk(chunk);
  };

  readonly #onEnd = (): void => {
    this.#sink?.onBodyEnd(passedThrough(this.#request.rawTrailers));
  };
}
