import { Pool, type Dispatcher } from 'undici';
import type { Exchange, ForwardFailure, ForwardHandler, Forwarder, ForwardRequest } from './forwarder.ts';

/** Forwarding over undici: one pool of HTTP/1.1 connections to each worker, one request at a time on each. */

export interface ForwarderLimits {
  /** Milliseconds. */
  readonly connectTimeout: number;
  /** Milliseconds; 0: none. undici keeps this and the next to about half a second. */
  readonly responseHeaderTimeout: number;
  readonly idleBodyTimeout: number;
}

export class UndiciForwarder implements Forwarder {
  readonly #pool: Pool;
  readonly #basePath: string;

  constructor(url: string, limits: ForwarderLimits) {
    const { origin, pathname } = new URL(url);
    this.#basePath = pathname.replace(/\/+$/, '');
    this.#pool = new Pool(origin, {
      pipelining: 1,
      allowH2: false,
      headersTimeout: limits.responseHeaderTimeout,
      bodyTimeout: limits.idleBodyTimeout,
      connect: { timeout: limits.connectTimeout },
    });
  }

  forward(request: ForwardRequest, handler: ForwardHandler): Exchange {
    const exchange = new UndiciExchange(handler);
    const path = this.#basePath + request.path;
    this.#pool.dispatch(
      {
        method: request.method,
        path: path.startsWith('/') ? path : `/${path}`,
        headers: request.headers,
        body: request.body,
      },
      exchange,
    );
    return exchange;
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  async destroy(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** Thrown out of `onRequestStart`: undici then drops the request and keeps connection and body. */
class TakenBack extends Error {}
class Aborted extends Error {}

const TIMEOUTS: ReadonlySet<string | undefined> = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const INVALID: ReadonlySet<string | undefined> = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);

class UndiciExchange implements Exchange, Dispatcher.DispatchHandler {
  readonly #handler: ForwardHandler;
  #controller: Dispatcher.DispatchController | undefined;
  #sent = false;
  #ended = false;

  constructor(handler: ForwardHandler) {
    this.#handler = handler;
  }

  resume(): void {
    this.#controller?.resume();
  }

  abort(): void {
    this.#ended = true;
    this.#controller?.abort(new Aborted('the dispatch has ended'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#ended || !this.#handler.onSending()) throw new TakenBack();
    this.#controller = controller;
    this.#sent = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    reason?: string,
  ): void {
    // 1xx are between the worker and us.
    if (status < 200 || this.#ended) return;
    this.#handler.onHead(status, reason ?? '', toStrings(controller.rawHeaders));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#ended && !this.#handler.onBody(chunk)) controller.pause();
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#handler.onComplete(toStrings(controller.rawTrailers));
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    // undici may report from within `dispatch`; the handler is promised a return first.
    queueMicrotask(() => this.#handler.onFailure(this.#failureOf(error), error));
  }

  #failureOf(error: Error & { code?: string }): ForwardFailure {
    if (INVALID.has(error.code)) return 'invalid';
    if (!this.#sent) return 'unsent';
    return TIMEOUTS.has(error.code) ? 'timeout' : 'broken';
  }
}

const NO_HEADERS: readonly string[] = [];

function toStrings(raw: Dispatcher.DispatchController['rawHeaders']): readonly string[] {
  if (!Array.isArray(raw) || raw.length === 0) return NO_HEADERS;
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')));
}
