import { ROUTES, type Operations } from './api-types.ts';
import { ApiError, refusalOf, UnreachableError } from './errors.ts';
import type { Transport } from './plain-transport.ts';

/**
 * The control API as functions, one for each operation of the OpenAPI document: types and addresses both are made from
 * it, so there is nothing here to keep up with it. Runs in Node and in browsers: how it gets there is given.
 */

const TIMEOUT_MS_DEFAULT = 10_000;

export interface CallOptions {
  /** Of the control plane, without `/api/…`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** Of one call, 10 s if left out. */
  readonly timeoutMs?: number | undefined;
}

/** Ends the call, whatever it is doing. */
interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

type Name = keyof Operations;
type Input<N extends Name> = Operations[N]['input'] & Abortable;

interface PageOf {
  readonly pagination: unknown;
}

/** Lists come whole, or in pages if `page` or `page_size` is given; those that only come in pages do so always. */
type Answer<N extends Name, I> = I extends { page: number } | { page_size: number }
  ? Extract<Operations[N]['answer'], PageOf>
  : [Exclude<Operations[N]['answer'], PageOf>] extends [never]
    ? Operations[N]['answer']
    : Exclude<Operations[N]['answer'], PageOf>;

type Call<N extends Name> = object extends Operations[N]['input']
  ? <I extends Input<N>>(input?: I) => Promise<Answer<N, I>>
  : <I extends Input<N>>(input: I) => Promise<Answer<N, I>>;

/** What came, with the headers. */
export interface Exchange<Body> {
  readonly body: Body;
  readonly status: number;
  /** The version of the deployment that it is about, good for `ifMatch`. */
  readonly etag: string | undefined;
}

export type Client = { readonly [N in Name]: Call<N> } & {
  readonly url: string;
  readonly token: string | undefined;
  readonly transport: Transport;
  /** An operation by its name, for those who need the status or the ETag as well. */
  exchange<N extends Name, I extends Input<N>>(name: N, input: I): Promise<Exchange<Answer<N, I>>>;
};

/** Every call rejects with an ApiError if it is refused, and with an UnreachableError if nobody answers. */
export function createCalls(options: CallOptions, transport: Transport): Client {
  const url = options.url.replace(/\/+$/, '');
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS_DEFAULT;
  const authorization = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };

  async function exchange(name: Name, input: AnyInput = {}): Promise<Exchange<unknown>> {
    const { target, init } = requestOf(url, name, input);
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = input.signal === undefined ? timeout : AbortSignal.any([timeout, input.signal]);
    let answer;
    try {
      answer = await transport.fetch(target, {
        ...init,
        headers: { ...init.headers, ...authorization },
        signal,
      });
      if (answer.ok) return { body: await bodyOf(answer), status: answer.status, etag: etagOf(answer) };
    } catch (error) {
      if (input.signal?.aborted === true) throw error;
      throw new UnreachableError('the control plane', url, error);
    }
    const { message, refusal } = await refusalOf(answer);
    throw new ApiError(message, refusal, url);
  }

  const names = Object.keys(ROUTES) as Name[];
  const calls = names.map(
    (name) => [name, async (input?: AnyInput) => (await exchange(name, input)).body] as const,
  );
  return { ...Object.fromEntries(calls), exchange, url, token: options.token, transport } as Client;
}

type Scalar = string | number | undefined;

interface AnyInput extends Abortable {
  readonly body?: unknown;
  readonly ifMatch?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Of the path or the query. */
  readonly [parameter: string]: unknown;
}

interface Request {
  readonly target: string;
  readonly init: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
  };
}

function requestOf(url: string, name: Name, input: AnyInput): Request {
  const { body, ifMatch, idempotencyKey, signal: _, ...parameters } = input;
  const { method, path } = ROUTES[name];
  const query = new URLSearchParams();
  let filled: string = path;
  for (const [parameter, value] of Object.entries(parameters as Record<string, Scalar>)) {
    if (value === undefined) continue;
    const place = `{${parameter}}`;
    if (filled.includes(place)) filled = filled.replace(place, encodeURIComponent(String(value)));
    else query.set(parameter, String(value));
  }
  return {
    target: `${url}${filled}${query.size === 0 ? '' : `?${query.toString()}`}`,
    init: {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(ifMatch !== undefined && { 'if-match': ifMatch }),
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    },
  };
}

async function bodyOf(answer: Response): Promise<unknown> {
  const text = await answer.text();
  return text === '' ? undefined : JSON.parse(text);
}

function etagOf(answer: Response): string | undefined {
  return answer.headers.get('etag') ?? undefined;
}
