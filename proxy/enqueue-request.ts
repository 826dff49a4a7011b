import type { IncomingMessage, ServerResponse } from 'node:http';
import { LanewiseError } from '../src/core/errors.ts';
import type { JobTracer } from '../src/runtime/tracing.ts';
import { notConfirmed, proxyFailed, requestTooSlow, shuttingDown } from './dispatch-errors.ts';
import type { JobDraft } from './enqueue-draft.ts';
import type { Enqueued, Enqueuer } from './enqueuer.ts';
import type { JobHeaders } from './job.ts';
import { replyLocally } from './local-reply.ts';
import { readWholeBody } from './request-body.ts';
import type { Running } from './running.ts';
import { SendSpans } from './send-spans.ts';
import { countError, UNKNOWN_QUEUE, type DispatchTelemetry } from './telemetry.ts';

/**
 * The life of a request that puts jobs into lanes:
 *
 *     reading → storing → ended
 *
 * The producer hears 202 only when the store has said that it has them. One that leaves while its body is on the way
 * has stored nothing; one that leaves later may have, and so may one whose store doesn't answer in time. Sending the
 * same ids again settles that.
 */
export interface EnqueueContext {
  readonly enqueuer: Enqueuer;
  readonly telemetry: DispatchTelemetry;
  readonly tracer: JobTracer | undefined;
  readonly timeoutMs: number;
  /** Told of what should not have happened. */
  readonly onBug: (error: unknown) => void;
  /** Called once when the request has ended. */
  readonly onEnded: (request: Running) => void;
}

/** One job, or a batch. */
export interface EnqueueForm {
  readonly queue: string;
  readonly head: JobHeaders;
  /** Said in every answer, where there is one. */
  readonly jobId: string | undefined;
  readonly isBatch: boolean;
  readonly bodyBytesMax: number;
  /** @throws LanewiseError */
  draftsOf(body: Buffer): readonly JobDraft[];
  answerOf(enqueued: Enqueued): EnqueueAnswer;
}

export interface EnqueueAnswer {
  /** Names and values, flat. */
  readonly headers: readonly string[];
  readonly body: object;
}

const ACCEPTED = 202;

type Phase = 'reading' | 'storing' | 'ended';

export class EnqueueRequest implements Running {
  readonly #context: EnqueueContext;
  readonly #form: EnqueueForm;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  place = -1;
  turn = -1;
  readonly #timer: NodeJS.Timeout | undefined;
  #phase: Phase = 'reading';

  constructor(
    context: EnqueueContext,
    form: EnqueueForm,
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    this.#context = context;
    this.#form = form;
    this.request = request;
    this.response = response;
    response.on('close', () => this.#end());
    this.#timer = context.timeoutMs > 0 ? setTimeout(() => this.#onTimeout(), context.timeoutMs) : undefined;
  }

  start(): void {
    try {
      readWholeBody(this.request, this.#form.head, this.#form.bodyBytesMax, (body) => {
        if (this.#phase !== 'reading') return;
        if (body instanceof LanewiseError) this.#fail(body);
        else void this.#enqueue(body);
      });
      // All of it is wanted, once its head is in order.
      if (this.#form.head.awaitsContinue && this.request.httpVersionMinor === 1)
        this.response.writeContinue();
    } catch (error) {
      this.#fail(error);
    }
  }

  refuse(error: LanewiseError): void {
    this.#fail(error);
  }

  shutDown(): void {
    this.#fail(this.#phase === 'storing' ? notConfirmed('the proxy is shutting down') : shuttingDown());
  }

  async #enqueue(body: Buffer): Promise<void> {
    const { queue, isBatch } = this.#form;
    const { enqueuer, tracer } = this.#context;
    let spans: SendSpans | undefined;
    try {
      this.#phase = 'storing';
      let drafts = this.#form.draftsOf(body);
      // Names that only a producer knows must not become those of spans.
      if (tracer !== undefined && drafts.every(({ tenant }) => this.#isKnown(tenant))) {
        spans = new SendSpans(tracer, queue, drafts);
        drafts = spans.drafts;
      }
      const enqueued = await enqueuer.enqueue(queue, drafts, isBatch);
      spans?.end(enqueued);
      this.#answer(this.#form.answerOf(enqueued));
    } catch (error) {
      spans?.fail(error);
      this.#fail(error);
    }
  }

  #onTimeout(): void {
    const { timeoutMs } = this.#context;
    const isReading = this.#phase === 'reading';
    this.#fail(
      isReading ? requestTooSlow(timeoutMs) : notConfirmed(`no answer of the store in ${timeoutMs} ms`),
    );
  }

  #answer({ headers, body }: EnqueueAnswer): void {
    if (this.#phase === 'ended') return;
    const bytes = Buffer.from(JSON.stringify(body));
    const length = ['Content-Type', 'application/json', 'Content-Length', String(bytes.length)];
    this.response.writeHead(ACCEPTED, [...length, ...headers]);
    this.response.end(bytes);
    this.#end();
  }

  #fail(cause: unknown): void {
    if (this.#phase === 'ended') return;
    if (!(cause instanceof LanewiseError)) this.#context.onBug(cause);
    const error = cause instanceof LanewiseError ? cause : proxyFailed(cause);
    const { queue, head, jobId } = this.#form;
    // Nor labels.
    countError(
      this.#context.telemetry.countsOf(this.#isKnown(head.tenant) ? queue : UNKNOWN_QUEUE),
      error.code,
    );
    replyLocally(this.request, this.response, error, jobId);
    this.#end();
  }

  #isKnown(tenant: string | undefined): boolean {
    return this.#context.enqueuer.strategyFor(this.#form.queue, tenant) !== undefined;
  }

  #end(): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    clearTimeout(this.#timer);
    this.#context.onEnded(this);
  }
}
