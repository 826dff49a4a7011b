import { keyOf, type WebhookSettings } from '../../config/webhooks.ts';
import type { NoticeKind } from '../../src/core/notice-kind.ts';

/** Somebody who is told of what happens to deployments, by a POST. */
export interface Webhook {
  readonly name: string;
  /** Never logged or shown: with many receivers its path is a secret. */
  readonly url: URL;
  /** Every delivery is signed with each of them. */
  readonly keys: readonly Uint8Array[];
  readonly kinds: ReadonlySet<NoticeKind>;
}

export function webhooksFrom(settings: Readonly<Record<string, WebhookSettings>>): readonly Webhook[] {
  return Object.entries(settings).map(([name, { url, secret, events }]) => ({
    name,
    url: new URL(url),
    keys: secret.map(keyOf),
    kinds: new Set(events),
  }));
}
