import type { Deployment } from '../../src/core/deployment.ts';
import type { Store } from '../../src/runtime/store/store.ts';

/** Deployments that send jobs into canary lanes, or may do so again: active and paused ones with lanes. */
export async function openOn(
  store: Pick<Store, 'listDeployments'>,
  queue?: string,
): Promise<readonly Deployment[]> {
  const open = await store.listDeployments({
    status: ['active', 'paused'],
    ...(queue !== undefined && { queue }),
  });
  return open.filter(({ config }) => config.routingStrategy !== 'hash_ring');
}

/** Those whose canary lane is being emptied. */
export async function draining(store: Pick<Store, 'listDeployments'>): Promise<readonly Deployment[]> {
  return store.listDeployments({ status: ['promoting', 'rolling_back'] });
}
