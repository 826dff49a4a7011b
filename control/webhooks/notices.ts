import type { Deployment, DeploymentEvent } from '../../src/core/deployment.ts';
import { noticeKind } from '../../src/core/notice-kind.ts';
import type { Notice } from '../../src/runtime/store/outbox-store.ts';
import { withSubject } from './payload.ts';
import type { Webhook } from './webhook.ts';

/**
 * What has to be told to whom of the events that a change makes. Stored in one step with the change, a notice can
 * neither be lost nor tell of what did not happen. Pure.
 */
export function noticesOf(
  deployment: Deployment,
  events: readonly DeploymentEvent[],
  webhooks: readonly Pick<Webhook, 'name' | 'kinds'>[],
): readonly Notice[] {
  return events.flatMap((event) => {
    const kind = noticeKind(event);
    if (kind === undefined) return [];
    return webhooks
      .filter(({ kinds }) => kinds.has(kind))
      .map(({ name }) => ({
        id: `${event.id}:${name}`,
        webhook: name,
        event: withSubject(event, deployment),
      }));
  });
}
