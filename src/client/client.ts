import { createCalls, type Client } from './calls.ts';
import { createTransport, type TlsOptions } from './transport.ts';

export const CONTROL_URL_DEFAULT = 'http://127.0.0.1:8080';

export interface ClientOptions {
  /** Of the control plane, without `/api/…`; `http://127.0.0.1:8080` if left out. */
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  /** For `https://` with a CA or a certificate of one's own. */
  readonly tls?: TlsOptions | undefined;
  /** Of one call, 10 s if left out. */
  readonly timeoutMs?: number | undefined;
}

/** Every call rejects with an ApiError if it is refused, and with an UnreachableError if nobody answers. */
export function createClient(options: ClientOptions = {}): Client {
  return createCalls({ ...options, url: options.url ?? CONTROL_URL_DEFAULT }, createTransport(options.tls));
}
