import type { Duplex } from 'node:stream';
import { Pool, type Dispatcher } from 'undici';
import type { Exchange, ForwardFailure, ForwardHandler, Forwarder, ForwardRequest } from './forwarder.ts';
import { StreamedBody } from './request-body.ts';
import { pathAt, type WorkerAddress, type WorkerTimeouts, type WorkerWays } from './worker-address.ts';
import { createWorkerConnector } from './worker-connector.ts';

/**
 * Forwarding over undici: one pool of HTTP/1.1 connections to each worker, one request at a time on each. For requests
 * whose body is there, which are nearly all; see `streaming-forwarder.ts` for the others.
 */

export class UndiciForwarder implements Forwarder {
  readonly #pool: Pool;
  readonly #address: WorkerAddress;
  readonly #timeouts: WorkerTimeouts;

  constructor(address: WorkerAddress, ways: WorkerWays) {
    this.#address = address;
    this.#timeouts = ways.timeouts;
    this.#pool = new Pool(address.origin, {
      pipelining: 1,
      allowH2: false,
      // Kept by the exchange: undici's are good to half a second, and each is held for as long.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: createWorkerConnector(address, ways),
    });
  }

  forward(request: ForwardRequest, handler: ForwardHandler): Exchange {
    const exchange = new UndiciExchange(handler, this.#timeouts);
    const { method, headers, body, upgrade } = request;
    const path = pathAt(this.#address, request.path);
    if (body instanceof StreamedBody) throw new TypeError('streamed bodies go another way');
    this.#pool.dispatch({ method, path, headers, body, upgrade: upgrade ?? null }, exchange);
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

const INVALID: ReadonlySet<string | undefined> = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);

/** Of an answer that nobody wants. Reading this much is cheaper than a new connection; error pages are shorter. */
const DISCARDED_BYTES_MAX = 16_384;

class UndiciExchange implements Exchange, Dispatcher.DispatchHandler {
  readonly #handler: ForwardHandler;
  readonly #timeouts: WorkerTimeouts;
  #timer: NodeJS.Timeout | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #sent = false;
  #ended = false;
  #discarded = 0;

  constructor(handler: ForwardHandler, timeouts: WorkerTimeouts) {
    this.#handler = handler;
    this.#timeouts = timeouts;
  }

  /** The clock starts again. */
  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = ms > 0 ? setTimeout(onQuiet, ms, this, ms) : undefined;
  }

  onQuiet(ms: number): void {
    this.abort();
    this.#handler.onFailure('timeout', new Error(`nothing moved for ${ms} ms`));
  }

  #end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  resume(): void {
    if (this.#ended) return;
    this.#wait(this.#timeouts.idleBody);
    this.#controller?.resume();
  }

  discard(): void {
    this.#end();
  }

  abort(): void {
    this.#end();
    this.#controller?.abort(new Aborted('the dispatch has ended'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#ended || !this.#handler.onSending()) throw new TakenBack();
    this.#controller = controller;
    this.#sent = true;
    this.#wait(this.#timeouts.responseHeader);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    reason?: string,
  ): void {
    if (this.#ended) return;
    if (status < 200) {
      this.#timer?.refresh();
      this.#handler.onInformation(status, toStrings(controller.rawHeaders));
    } else {
      this.#wait(this.#timeouts.idleBody);
      this.#handler.onHead(status, reason ?? '', toStrings(controller.rawHeaders));
    }
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    _status: number,
    _headers: unknown,
    socket: Duplex,
  ): void {
    if (this.#ended) {
      socket.destroy();
      return;
    }
    this.#end();
    this.#handler.onTunnel(toStrings(controller.rawHeaders), socket);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) {
      this.#discarded += chunk.length;
      if (this.#discarded > DISCARDED_BYTES_MAX) this.abort();
      return;
    }
    if (this.#handler.onBody(chunk)) {
      this.#timer?.refresh();
    } else {
      // Whoever takes it sees to it that it is taken.
      this.#wait(0);
      controller.pause();
    }
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#ended) return;
    this.#end();
    this.#handler.onComplete(toStrings(controller.rawTrailers));
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#ended) return;
    this.#end();
    // undici may report from within `dispatch`; the handler is promised a return first.
    queueMicrotask(() => this.#handler.onFailure(this.#failureOf(error), error));
  }

  #failureOf(error: Error & { code?: string }): ForwardFailure {
    if (INVALID.has(error.code)) return 'invalid';
    return this.#sent ? 'broken' : 'unsent';
  }
}

function onQuiet(exchange: UndiciExchange, ms: number): void {
  exchange.onQuiet(ms);
}

const NO_HEADERS: readonly string[] = [];

function toStrings(raw: Dispatcher.DispatchController['rawHeaders']): readonly string[] {
  if (!Array.isArray(raw) || raw.length === 0) return NO_HEADERS;
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')));
}
