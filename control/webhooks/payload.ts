import { z } from 'zod';
import type { Deployment, DeploymentEvent } from '../../src/core/deployment.ts';
import { noticeKind } from '../../src/core/notice-kind.ts';
import { toInstant } from '../api/fields.ts';

/**
 * What a webhook's receiver reads. All of it is put into the notice when the change is made and nothing is looked up
 * when it is delivered: the deployment may have been deleted by then, and every attempt has to carry the same body.
 *
 * The store keeps an event for each notice, so what the receiver needs to know of the deployment travels in the data of
 * that copy, under a key of its own, and is taken out again here.
 */

const SUBJECT_KEY = 'deployment';

const subjectSchema = z.object({
  queue_name: z.string(),
  tenant_id: z.string().optional(),
  stable_version: z.string(),
  canary_version: z.string(),
});

/** A copy of the event that knows what it is about. */
export function withSubject(event: DeploymentEvent, deployment: Deployment): DeploymentEvent {
  const { queue, tenant, stableVersion, canaryVersion } = deployment;
  const subject: z.output<typeof subjectSchema> = {
    queue_name: queue,
    ...(tenant !== undefined && { tenant_id: tenant }),
    stable_version: stableVersion,
    canary_version: canaryVersion,
  };
  return { ...event, data: { ...event.data, [SUBJECT_KEY]: subject } };
}

/**
 * The body, the same for every attempt.
 * @param event a copy made by `withSubject`; of another one it says what there is
 */
export function payloadOf(event: DeploymentEvent): string {
  const { [SUBJECT_KEY]: subject, ...data } = event.data ?? {};
  return JSON.stringify({
    id: event.id,
    kind: noticeKind(event),
    type: event.type,
    timestamp: toInstant(event.timestamp),
    deployment_id: event.deploymentId,
    ...subjectSchema.safeParse(subject).data,
    message: event.message,
    actor: event.actor,
    data,
  });
}
