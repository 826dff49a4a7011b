import { Agent, request } from 'undici';
import type { Clock } from '../../src/core/clock.ts';
import type { DeploymentEvent } from '../../src/core/deployment.ts';
import type { AddressAllow, ResolveHost } from '../../src/runtime/addresses/address-allow.ts';
import { createAddressGuard } from '../../src/runtime/addresses/address-guard.ts';
import { createCheckedConnector } from '../../src/runtime/addresses/checked-connector.ts';
import { payloadOf } from './payload.ts';
import { parseRetryAfter } from './retry.ts';
import { signatureHeaders } from './signature.ts';
import type { Webhook } from './webhook.ts';

/** One attempt to tell a receiver of an event. */
export interface Poster {
  /** Never throws. @param signal breaks it off */
  post(webhook: Webhook, event: DeploymentEvent, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

export type Answer =
  | { readonly kind: 'delivered' }
  /** `reason` is for the log. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number }
  /** It wants to hear nothing any more. */
  | { readonly kind: 'gone'; readonly reason: string };

export interface PosterOptions {
  readonly allow: AddressAllow;
  readonly resolve: ResolveHost;
  readonly clock: Clock;
  /** Of this build. */
  readonly version: string;
  /** For the whole attempt. */
  readonly timeoutMs: number;
}

/** An answer's status says it all; of its body only as much is read as lets the receiver end in good order. */
const BODY_BYTES_MAX = 16_384;

export function createPoster({ allow, resolve, clock, version, timeoutMs }: PosterOptions): Poster {
  const dispatcher = new Agent({
    connect: createCheckedConnector(createAddressGuard(allow, resolve), { timeout: timeoutMs }),
    // A connection for each delivery: they are rare, and each has its address checked anew.
    pipelining: 0,
  });

  const send = async (webhook: Webhook, event: DeploymentEvent, signal: AbortSignal): Promise<Answer> => {
    const now = clock.now();
    const body = payloadOf(event);
    const {
      statusCode,
      headers,
      body: answer,
    } = await request(webhook.url, {
      dispatcher,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': `lanewise/${version}`,
        ...signatureHeaders({ id: event.id, seconds: Math.floor(now / 1000), body }, webhook.keys),
      },
      body,
      signal,
    });
    await answer.dump({ limit: BODY_BYTES_MAX, signal }).catch(() => {});
    return answerOf(statusCode, parseRetryAfter(headers['retry-after']?.toString(), now));
  };

  return {
    async post(webhook, event, signal) {
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        return await send(webhook, event, AbortSignal.any([signal, timeout]));
      } catch (error) {
        return { kind: 'failed', reason: timeout.aborted ? `no answer in ${timeoutMs} ms` : reasonOf(error) };
      }
    },
    close: () => dispatcher.destroy(),
  };
}

function answerOf(status: number, retryAfterMs: number | undefined): Answer {
  const reason = `answered ${status}`;
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  if (status === 410) return { kind: 'gone', reason };
  if (status >= 300 && status < 400)
    return { kind: 'failed', reason: `${reason}; redirects are not followed` };
  return { kind: 'failed', reason, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return error.message === '' ? (code ?? error.name) : error.message;
}
