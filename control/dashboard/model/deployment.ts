import type { Deployment } from '../../../src/client/api-types.ts';

type Status = Deployment['status'];

const OPEN: ReadonlySet<Status> = new Set(['active', 'paused', 'promoting', 'rolling_back']);

export function isOpen({ status }: Pick<Deployment, 'status'>): boolean {
  return OPEN.has(status);
}

/** Whether its percentage can be moved. */
export function isMovable({ status }: Pick<Deployment, 'status'>): boolean {
  return status === 'active' || status === 'paused';
}

export type StatusFilter = 'all' | 'open' | 'ended' | Status;

export interface Filter {
  readonly status: StatusFilter;
  /** Part of the name of the queue or the tenant. */
  readonly queue: string;
}

export function matches(deployment: Deployment, { status, queue }: Filter): boolean {
  const wanted = queue.trim().toLowerCase();
  const isNamed =
    deployment.queue_name.toLowerCase().includes(wanted) ||
    deployment.tenant_id?.toLowerCase().includes(wanted) === true;
  if (!isNamed) return false;
  if (status === 'all') return true;
  if (status === 'open') return isOpen(deployment);
  if (status === 'ended') return !isOpen(deployment);
  return deployment.status === status;
}

/** Those that run first, then newest first, as they come. */
export function inOrder(deployments: readonly Deployment[]): readonly Deployment[] {
  return [...deployments.filter(isOpen), ...deployments.filter((deployment) => !isOpen(deployment))];
}
