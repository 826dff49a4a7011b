import type { Deployment } from '../../src/core/deployment.ts';
import type { Store } from '../../src/runtime/store/store.ts';

/** Deployments that send jobs into canary lanes, or may do so again: active and paused ones with lanes. */
export async function openOn(
  store: Pick<Store, 'listDeployments'>,
  queue?: string,
): Promise<readonly Deployment[]> {
  const of = queue === undefined ? {} : { queue };
  const [active, paused] = await Promise.all([
    store.listDeployments({ ...of, status: 'active' }),
    store.listDeployments({ ...of, status: 'paused' }),
  ]);
  return [...active, ...paused].filter(({ config }) => config.routingStrategy !== 'hash_ring');
}

/** Those whose canary lane is being emptied. */
export async function draining(store: Pick<Store, 'listDeployments'>): Promise<readonly Deployment[]> {
  const [promoting, rollingBack] = await Promise.all([
    store.listDeployments({ status: 'promoting' }),
    store.listDeployments({ status: 'rolling_back' }),
  ]);
  return [...promoting, ...rollingBack];
}
