import { createHmac } from 'node:crypto';

/**
 * Signatures as the Standard Webhooks specification 1.0.0 has them (standardwebhooks.com), so that receivers can check
 * them with its libraries: HMAC-SHA256 of `{id}.{seconds}.{body}`, in base64 after `v1,`.
 */
export interface Signed {
  /** The same for each attempt; receivers tell repetitions by it. Without a full stop. */
  readonly id: string;
  /** Of this attempt, since the Unix epoch. */
  readonly seconds: number;
  readonly body: string;
}

/** @param keys several while one takes the place of another: a receiver that knows any of them is content */
export function signatureHeaders({ id, seconds, body }: Signed, keys: readonly Uint8Array[]) {
  const content = `${id}.${seconds}.${body}`;
  const sign = (key: Uint8Array): string =>
    `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': keys.map(sign).join(' '),
  };
}
