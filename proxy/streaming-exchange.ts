import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { pairs } from './header-names.ts';
import type { Exchange, ForwardFailure, ForwardHandler } from './forwarder.ts';
import { hearOut } from './last-words.ts';
import type { BodySink, StreamedBody } from './request-body.ts';
import type { WorkerTimeouts } from './worker-address.ts';

/**
 * One request whose body is on its way, and its answer. The two overlap: a worker may answer before it has read the
 * whole body, or any of it, and then what is left of the body is nobody's.
 */

/** For a worker that doesn't know `Expect: 100-continue`; as long as curl waits. */
const CONTINUE_MS = 1000;

/** What is waited for. */
type Waiting = 'connection' | 'continue' | 'body' | 'head' | 'answer';

export class StreamingExchange implements Exchange, BodySink {
  readonly #outgoing: ClientRequest;
  readonly #body: StreamedBody;
  readonly #timeouts: WorkerTimeouts;
  readonly #handler: ForwardHandler;
  #waiting: Waiting = 'connection';
  #timer: NodeJS.Timeout | undefined;
  #answer: IncomingMessage | undefined;
  #isSending = false;
  /** Connected, and the first byte may have gone. */
  #sent = false;
  #ended = false;

  /** @param onEnded is called once, when no connection is held any more */
  constructor(
    outgoing: ClientRequest,
    body: StreamedBody,
    timeouts: WorkerTimeouts,
    handler: ForwardHandler,
    onEnded: () => void,
  ) {
    this.#outgoing = outgoing;
    this.#body = body;
    this.#timeouts = timeouts;
    this.#handler = handler;
    outgoing.on('socket', (socket) => this.#onSocket(socket));
    outgoing.on('continue', () => this.#startBody());
    outgoing.on('information', ({ statusCode, rawHeaders }) => {
      if (statusCode !== 100 && !this.#ended) handler.onInformation(statusCode, rawHeaders);
    });
    outgoing.on('response', (answer) => this.#onAnswer(answer));
    outgoing.on('drain', () => this.#onDrain());
    outgoing.on('error', (error) => this.fail(this.#sent ? 'broken' : 'unsent', error));
    outgoing.on('close', () => {
      this.fail('broken', new Error('other side closed'));
      onEnded();
    });
    this.#wait('connection', timeouts.connect);
  }

  /** The clock starts again. */
  #wait(waiting: Waiting, ms: number): void {
    this.#waiting = waiting;
    clearTimeout(this.#timer);
    this.#timer = ms > 0 ? setTimeout(() => this.#onQuiet(ms), ms) : undefined;
  }

  #onQuiet(ms: number): void {
    const cause = new Error(`nothing moved for ${ms} ms`);
    switch (this.#waiting) {
      case 'connection':
        this.fail('unsent', cause);
        break;
      case 'continue':
        this.#startBody();
        break;
      case 'body':
        // Either the worker takes nothing, or there is nothing to take.
        this.fail(this.#outgoing.writableNeedDrain ? 'timeout' : 'stalled', cause);
        break;
      case 'head':
      case 'answer':
        this.fail('timeout', cause);
        break;
      default:
        this.#waiting satisfies never;
    }
  }

  #onSocket(socket: Socket): void {
    if (this.#ended) return;
    const isTls = 'encrypted' in socket;
    if (socket.connecting || (isTls && (socket as Socket & { secureConnecting?: boolean }).secureConnecting))
      socket.once(isTls ? 'secureConnect' : 'connect', () => this.#send(socket));
    else this.#send(socket);
  }

  #send(socket: Socket): void {
    if (this.#ended) return;
    if (!this.#handler.onSending()) {
      this.fail('unsent', new Error('taken back'));
      return;
    }
    this.#sent = true;
    hearOut(socket);
    if (this.#body.isAwaited) {
      this.#outgoing.flushHeaders();
      this.#wait('continue', CONTINUE_MS);
    } else {
      // Along with the first piece of the body, if there is one already.
      setImmediate(flushHead, this);
      this.#startBody();
    }
  }

  flushHead(): void {
    if (!this.#ended) this.#outgoing.flushHeaders();
  }

  #startBody(): void {
    if (this.#ended || this.#waiting === 'answer') return;
    this.#isSending = true;
    this.#wait('body', this.#timeouts.idleBody);
    this.#body.start(this);
  }

  onBodyChunk(chunk: Buffer): void {
    if (this.#waiting === 'body') this.#timer?.refresh();
    if (!this.#outgoing.write(chunk) && this.#isSending) this.#body.pause();
  }

  #onDrain(): void {
    if (this.#waiting === 'body') this.#timer?.refresh();
    if (this.#isSending) this.#body.resume();
  }

  onBodyEnd(trailers: readonly string[]): void {
    this.#isSending = false;
    if (trailers.length > 0 && this.#body.length === undefined) this.#outgoing.addTrailers(pairs(trailers));
    this.#outgoing.end();
    if (this.#waiting === 'body') this.#wait('head', this.#timeouts.responseHeader);
  }

  onBodyFailure(cause: Error): void {
    this.fail('body', cause);
  }

  #dropBody(): void {
    if (this.#isSending) this.#body.drop();
    this.#isSending = false;
  }

  #onAnswer(answer: IncomingMessage): void {
    if (this.#ended) {
      answer.resume();
      return;
    }
    this.#answer = answer;
    this.#wait('answer', this.#timeouts.idleBody);
    answer.on('data', (chunk: Buffer) => {
      this.#timer?.refresh();
      if (this.#ended || this.#handler.onBody(chunk)) return;
      answer.pause();
      // Whoever takes it sees to it that it is taken.
      this.#wait('answer', 0);
    });
    answer.on('end', () => this.#onAnswerEnd(answer));
    answer.on('error', (error) => this.fail('broken', error));
    this.#handler.onHead(answer.statusCode!, answer.statusMessage ?? '', answer.rawHeaders);
  }

  #onAnswerEnd(answer: IncomingMessage): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#dropBody();
    // What was not sent is not wanted, and the worker would take the next request for the rest of it.
    if (!this.#outgoing.writableFinished) this.#outgoing.destroy();
    this.#handler.onComplete(answer.rawTrailers);
  }

  resume(): void {
    if (this.#ended || this.#answer?.isPaused() !== true) return;
    this.#wait('answer', this.#timeouts.idleBody);
    this.#answer.resume();
  }

  /** Streamed bodies can't be sent again, so nobody has an answer to throw away; if so, with the connection. */
  discard(): void {
    this.abort();
  }

  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#dropBody();
    this.#outgoing.destroy();
  }

  fail(failure: ForwardFailure, cause: Error): void {
    if (this.#ended) return;
    this.abort();
    // Node may report from within `request`; the handler is promised a return first.
    queueMicrotask(() => this.#handler.onFailure(failure, cause));
  }
}

/** Node keeps a head until there is a body. */
function flushHead(exchange: StreamingExchange): void {
  exchange.flushHead();
}
