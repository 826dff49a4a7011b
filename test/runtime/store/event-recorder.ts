import type { Deployment, DeploymentEvent } from '../../../src/core/deployment.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { eventually } from './recorder.ts';

type Told =
  | { kind: 'up' }
  | { kind: 'down' }
  | { kind: 'event'; event: DeploymentEvent; position: number }
  | { kind: 'deleted'; deploymentId: string };

/** Writes down what a subscriber to events is told, in order. */
export interface EventRecorder extends AsyncDisposable {
  readonly told: readonly Told[];
  close(): Promise<void>;
}

/**
 * Of these deployments only: the nodes of a Cluster still pass on what an earlier test has published.
 */
export function listen(store: Store, ...deployments: readonly Deployment[]): EventRecorder {
  const told: Told[] = [];
  const isMeant = (id: string): boolean => deployments.some((deployment) => deployment.id === id);
  const subscription = store.subscribeEvents({
    onUp: () => void told.push({ kind: 'up' }),
    onDown: () => void told.push({ kind: 'down' }),
    onEvent(event, position) {
      if (isMeant(event.deploymentId)) told.push({ kind: 'event', event, position });
    },
    onDeleted(deploymentId) {
      if (isMeant(deploymentId)) told.push({ kind: 'deleted', deploymentId });
    },
  });
  return { told, close: () => subscription.close(), [Symbol.asyncDispose]: () => subscription.close() };
}

/** Subscribes and waits until the subscription stands. */
export async function listenUp(store: Store, ...deployments: readonly Deployment[]): Promise<EventRecorder> {
  const recorder = listen(store, ...deployments);
  await eventually(() => recorder.told.length > 0);
  return recorder;
}
