import type { Readable } from 'node:stream';

/**
 * How one request gets to one worker. Small, so that the implementation can change: the dispatch knows nothing of
 * connections, and the forwarder nothing of lanes.
 */
export interface Forwarder {
  /** Always ends with exactly one of `onComplete` and `onFailure`, never before it returns. */
  forward(request: ForwardRequest, handler: ForwardHandler): Exchange;
  /** Takes no more requests; resolves when those under way have ended. */
  close(): Promise<void>;
  /** Ends what is under way. */
  destroy(): Promise<void>;
}

export interface ForwardRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Names and values, flat. */
  readonly headers: string[];
  readonly body: Buffer | Readable | null;
}

export interface ForwardHandler {
  /** A connection stands and the first byte is next. `false` takes the request back: nothing has been sent. */
  onSending(): boolean;
  onHead(status: number, reason: string, headers: readonly string[]): void;
  /** `false` asks for a pause until `resume`. */
  onBody(chunk: Buffer): boolean;
  /** @param trailers names and values, flat */
  onComplete(trailers: readonly string[]): void;
  onFailure(failure: ForwardFailure, cause: Error): void;
}

/**
 * - `unsent`: no connection, or taken back; not a byte has reached the worker, so another one may be tried
 * - `timeout`: the worker was silent for too long
 * - `broken`: it broke off, or spoke bad HTTP
 * - `invalid`: the request itself can't be sent
 */
export type ForwardFailure = 'unsent' | 'timeout' | 'broken' | 'invalid';

export interface Exchange {
  resume(): void;
  /** Ends it at once; no handler is called after that. */
  abort(): void;
}
