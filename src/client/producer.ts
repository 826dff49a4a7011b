import { randomUUID } from 'node:crypto';
import type { Lane } from '../core/lane.ts';
import { codeOf, reasonOf, refusalOf, type Refusal } from './errors.ts';
import { createTransport, type TlsOptions } from './transport.ts';

/** Dispatching jobs through the proxy beside the producer. */

export const DISPATCH_URL_DEFAULT = 'http://127.0.0.1:8090';

export interface ProducerOptions {
  /** Of the proxy, without `/dispatch/…`; `http://127.0.0.1:8090` if left out. */
  readonly url?: string | undefined;
  /** For `https://` with a CA or a certificate of one's own. */
  readonly tls?: TlsOptions | undefined;
}

export interface DispatchOptions {
  /** Made (a UUID) if left out. The same job sent again must have the same one. */
  readonly jobId?: string | undefined;
  /** Jobs of the same key go to the same lane and worker; the job id if left out. */
  readonly stickyKey?: string | undefined;
  readonly tenant?: string | undefined;
  /** Overrides the decision where the queue's configuration allows it. */
  readonly lane?: Lane | undefined;
  /** Below the worker's URL, with a query if need be. */
  readonly path?: string | undefined;
  /** `POST` if left out. */
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface DispatchAnswer {
  /** The worker's, 500 included, or 202 for a job that was stored. */
  readonly status: number;
  readonly ok: boolean;
  readonly jobId: string;
  readonly lane: Lane | undefined;
  readonly version: string | undefined;
  readonly worker: string | undefined;
  readonly deployment: string | undefined;
  /** Nobody was home where it was meant for. */
  readonly fallback: boolean;
  /** As it came, with the body, which is to be read or cancelled. */
  readonly response: Response;
}

export interface Producer {
  /**
   * Bytes, text and streams go as they are, anything else as JSON.
   *
   * @throws DispatchError if the proxy itself answered, or nobody did
   */
  dispatch(queue: string, body?: unknown, options?: DispatchOptions): Promise<DispatchAnswer>;
}

/**
 * Codes after which nothing has run, or which are good for the same job id again: a job that is stored is stored once.
 * `WORKER_TIMEOUT` and `WORKER_FAILED` are not among them, since the worker may have done its work.
 */
const RETRYABLE: ReadonlySet<string> = new Set([
  'NO_WORKER_AVAILABLE',
  'WORKER_UNREACHABLE',
  'PROXY_OVERLOADED',
  'QUEUE_UNAVAILABLE',
]);

/** Failures of connecting: not a byte of the job went out. */
const UNSENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** The proxy's own answer, which no worker made, or none. */
export class DispatchError extends Error implements Refusal {
  /** 0 where nobody answered. */
  readonly status: number;
  /** One of the dispatch API, or `PROXY_UNREACHABLE`. */
  readonly code: string;
  readonly details: Readonly<Record<string, string>>;
  readonly retryAfterSeconds: number | undefined;
  /** Sent again with the same job id, it can't run twice. */
  readonly retryable: boolean;
  readonly jobId: string;

  constructor(message: string, refusal: Refusal & { retryable: boolean; jobId: string; cause?: unknown }) {
    super(message, refusal.cause === undefined ? undefined : { cause: refusal.cause });
    this.name = 'DispatchError';
    this.status = refusal.status;
    this.code = refusal.code;
    this.details = refusal.details;
    this.retryAfterSeconds = refusal.retryAfterSeconds;
    this.retryable = refusal.retryable;
    this.jobId = refusal.jobId;
  }
}

export function createProducer({ url = DISPATCH_URL_DEFAULT, tls }: ProducerOptions = {}): Producer {
  const transport = createTransport(tls);
  const base = url.replace(/\/+$/, '');
  return {
    async dispatch(queue, body, options = {}) {
      const jobId = options.jobId ?? randomUUID();
      const target = `${base}/dispatch/${encodeURIComponent(queue)}${pathOf(options.path)}`;
      let response;
      try {
        response = await transport.fetch(target, requestOf(jobId, body, options));
      } catch (error) {
        if (options.signal?.aborted === true) throw error;
        throw unreachable(base, jobId, error);
      }
      if (response.headers.has('x-canary-error')) throw await refused(response, jobId);
      return answerOf(response, jobId);
    },
  };
}

function pathOf(path = ''): string {
  return path === '' || path.startsWith('/') || path.startsWith('?') ? path : `/${path}`;
}

function requestOf(jobId: string, body: unknown, options: DispatchOptions): RequestInit {
  const { stickyKey, tenant, lane, method = 'POST', signal } = options;
  const headers = new Headers(options.headers);
  headers.set('x-job-id', jobId);
  if (stickyKey !== undefined) headers.set('x-canary-sticky-key', stickyKey);
  if (tenant !== undefined) headers.set('x-tenant-id', tenant);
  if (lane !== undefined) headers.set('x-canary-lane', lane);
  const init = { method, headers, signal: signal ?? null };
  if (body === undefined) return init;
  if (body instanceof ReadableStream) return { ...init, body, duplex: 'half' };
  if (typeof body === 'string' || body instanceof Uint8Array)
    return { ...init, body: body as string | Uint8Array<ArrayBuffer> };
  if (!headers.has('content-type')) headers.set('content-type', 'application/json');
  return { ...init, body: JSON.stringify(body) };
}

function answerOf(response: Response, jobId: string): DispatchAnswer {
  const header = (name: string): string | undefined => response.headers.get(name) ?? undefined;
  return {
    status: response.status,
    ok: response.ok,
    jobId: header('x-job-id') ?? jobId,
    lane: header('x-canary-lane') as Lane | undefined,
    version: header('x-canary-version'),
    worker: header('x-canary-worker'),
    deployment: header('x-canary-deployment'),
    fallback: header('x-canary-fallback') === 'true',
    response,
  };
}

async function refused(response: Response, jobId: string): Promise<DispatchError> {
  const { message, refusal } = await refusalOf(response);
  return new DispatchError(message, { ...refusal, jobId, retryable: RETRYABLE.has(refusal.code) });
}

function unreachable(url: string, jobId: string, cause: unknown): DispatchError {
  return new DispatchError(`Cannot reach the proxy at ${url}: ${reasonOf(cause)}`, {
    status: 0,
    code: 'PROXY_UNREACHABLE',
    details: {},
    retryAfterSeconds: undefined,
    retryable: UNSENT.has(codeOf(cause) ?? ''),
    jobId,
    cause,
  });
}
