import type { Error as ErrorBody } from './api-types.ts';

/** What the client throws, so that callers can tell a refusal from a network that is down. */

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly details: Readonly<Record<string, string>>;
  /** From `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;
}

/** The control plane answered, and the answer is no. */
export class ApiError extends Error implements Refusal {
  readonly status: number;
  /** `DEPLOYMENT_NOT_FOUND`, say; `UNKNOWN` where the answer is not one of the control plane's. */
  readonly code: string;
  /** Field → what is wrong with it. */
  readonly details: Readonly<Record<string, string>>;
  readonly retryAfterSeconds: number | undefined;
  /** Of the control plane that was asked. */
  readonly url: string;

  constructor(message: string, { status, code, details, retryAfterSeconds }: Refusal, url: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.details = details;
    this.retryAfterSeconds = retryAfterSeconds;
    this.url = url;
  }
}

/** Nobody answered: the address is wrong, nothing listens there, or it took too long. */
export class UnreachableError extends Error {
  /** What was tried. */
  readonly url: string;

  constructor(what: string, url: string, cause: unknown) {
    super(`Cannot reach ${what} at ${url}: ${reasonOf(cause)}`, { cause });
    this.name = 'UnreachableError';
    this.url = url;
  }
}

/** @throws never: an answer that is not ours (a gateway's page, say) becomes the code `UNKNOWN` */
export async function refusalOf(answer: Response): Promise<{ message: string; refusal: Refusal }> {
  const text = await answer.text();
  const body = parse(text);
  return {
    message:
      body?.error ?? `${answer.status} ${answer.statusText}: ${text.slice(0, 200).trim() || 'no body'}`,
    refusal: {
      status: answer.status,
      code: answer.headers.get('x-canary-error') ?? body?.code ?? 'UNKNOWN',
      details: body?.details ?? {},
      retryAfterSeconds: secondsOf(answer.headers.get('retry-after')),
    },
  };
}

function parse(text: string): Partial<ErrorBody> | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? body : undefined;
  } catch {
    return undefined;
  }
}

function secondsOf(header: string | null): number | undefined {
  return header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
}

/** `fetch` hides what happened in the cause of its `TypeError`, and where two addresses failed, in that one's errors. */
export function reasonOf(error: unknown): string {
  const root = rootCause(error);
  if (!(root instanceof Error)) return String(root);
  return root.name === 'TimeoutError' ? 'no answer in time' : root.message || codeOf(root) || root.name;
}

/** `ECONNREFUSED`, say. */
export function codeOf(error: unknown): string | undefined {
  const root = rootCause(error);
  return root instanceof Error && 'code' in root && typeof root.code === 'string' ? root.code : undefined;
}

function rootCause(error: unknown): unknown {
  if (error instanceof AggregateError) return rootCause(error.errors[0]);
  return error instanceof Error && error.cause !== undefined ? rootCause(error.cause) : error;
}
