import type { Deployment } from '../../client/api-types.ts';
import type { Client } from '../../client/calls.ts';
import { NotFoundError, UsageError } from '../exit-codes.ts';

const WHOLE_ID = /^canary_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ENDED: ReadonlySet<string> = new Set(['completed', 'failed']);

/** The id of the deployment that is meant by an id, the beginning of one, or the name of its queue. */
export async function findDeployment(client: Client, name: string): Promise<string> {
  if (WHOLE_ID.test(name)) return name;
  const { deployments } = await client.listDeployments();
  return meant(deployments, name);
}

/** For who only looks: where all of a queue have ended, the latest is as good an answer as any. */
export async function findDeploymentToRead(client: Client, name: string): Promise<string> {
  if (WHOLE_ID.test(name)) return name;
  const { deployments } = await client.listDeployments();
  const [latest, ...others] = deployments.filter((d) => d.queue_name === name);
  const isOneStory = others.every((d) => ENDED.has(d.status) && d.tenant_id === latest?.tenant_id);
  return latest !== undefined && ENDED.has(latest.status) && isOneStory
    ? latest.id
    : meant(deployments, name);
}

/**
 * Of a queue's deployments the one that has not ended, else the only one.
 *
 * @throws NotFoundError, UsageError where several could be meant
 */
export function meant(deployments: readonly Deployment[], name: string): string {
  const ofQueue = deployments.filter((d) => d.queue_name === name);
  const open = ofQueue.filter(({ status }) => !ENDED.has(status));
  const byId = deployments.filter(({ id }) => id.startsWith(name) || id.startsWith(`canary_${name}`));
  const found = [open, ofQueue, byId].find((list) => list.length > 0) ?? [];
  if (found.length === 1) return found[0]!.id;
  if (found.length === 0) {
    throw new NotFoundError(
      `No deployment has the id, or an id beginning with, or the queue ${JSON.stringify(name)}`,
    );
  }
  const candidates = found.map((d) => {
    const scope = d.tenant_id === undefined ? d.queue_name : `${d.queue_name} (${d.tenant_id})`;
    return `\n  ${d.id}  ${scope}  ${d.canary_version}  ${d.status}`;
  });
  throw new UsageError(
    `${JSON.stringify(name)} may be any of ${found.length} deployments:${candidates.join('')}`,
  );
}
