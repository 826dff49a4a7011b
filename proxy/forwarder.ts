import type { Duplex } from 'node:stream';
import type { StreamedBody } from './request-body.ts';

/**
 * How one request gets to one worker. Small, so that the implementation can change: the dispatch knows nothing of
 * connections, and the forwarder nothing of lanes.
 */
export interface Forwarder {
  /** Always ends with exactly one of `onComplete`, `onTunnel` and `onFailure`, never before it returns. */
  forward(request: ForwardRequest, handler: ForwardHandler): Exchange;
  /** Takes no more requests; resolves when those under way have ended. */
  close(): Promise<void>;
  /** Ends what is under way. */
  destroy(): Promise<void>;
}

export interface ForwardRequest {
  readonly method: string;
  /** With the query: empty, or beginning with `/` or `?`. */
  readonly path: string;
  /** Names and values, flat; nothing that says how long the body is, nor anything between neighbours. */
  readonly headers: string[];
  readonly body: Buffer | StreamedBody | null;
  /** The protocol that the connection is to change to, as in `Upgrade`. */
  readonly upgrade?: string | undefined;
}

export interface ForwardHandler {
  /** A connection stands and the first byte is next. `false` takes the request back: nothing has been sent. */
  onSending(): boolean;
  /** An answer before the answer: 102 or 103, say. Never 100 nor 101. */
  onInformation(status: number, headers: readonly string[]): void;
  onHead(status: number, reason: string, headers: readonly string[]): void;
  /** `false` asks for a pause until `resume`. */
  onBody(chunk: Buffer): boolean;
  /** @param trailers names and values, flat */
  onComplete(trailers: readonly string[]): void;
  /** 101: from here on the connection is the caller's. */
  onTunnel(headers: readonly string[], socket: Duplex): void;
  onFailure(failure: ForwardFailure, cause: Error): void;
}

/**
 * - `unsent`: no connection, or taken back; not a byte has reached the worker, so another one may be tried
 * - `timeout`: the worker was silent for too long
 * - `stalled`: the producer was
 * - `broken`: the worker broke off, or spoke bad HTTP
 * - `invalid`: the request itself can't be sent
 * - `body`: the request's body broke off for a reason of its own, which is the cause
 */
export type ForwardFailure = 'unsent' | 'timeout' | 'stalled' | 'broken' | 'invalid' | 'body';

export interface Exchange {
  resume(): void;
  /**
   * Once its head is there: the rest of the answer is not wanted. It is read and dropped while it is short, so that
   * the connection serves again, and broken off otherwise; no handler is called after that. `abort` still ends it.
   */
  discard(): void;
  /** Ends it at once; no handler is called after that. */
  abort(): void;
}
