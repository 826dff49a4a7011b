import { vi } from 'vitest';
import { scopeKey } from '../../../src/core/route.ts';
import type { RouteSnapshot, RouteUpdate } from '../../../src/core/routing-table.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { PATIENCE } from '../../helpers/patience.ts';

/** Writes down what a subscriber is told, in order. */
export interface Recorder extends AsyncDisposable {
  readonly calls: readonly ('up' | 'down')[];
  readonly updates: readonly RouteUpdate[];
  readonly revisions: readonly number[];
  close(): Promise<void>;
}

export function record(store: Store): Recorder {
  const calls: ('up' | 'down')[] = [];
  const updates: RouteUpdate[] = [];
  const subscription = store.subscribeRoutes({
    onUp: () => void calls.push('up'),
    onDown: () => void calls.push('down'),
    onUpdate: (update) => void updates.push(update),
  });
  return {
    calls,
    updates,
    get revisions() {
      return updates.map((u) => u.revision);
    },
    close: () => subscription.close(),
    [Symbol.asyncDispose]: () => subscription.close(),
  };
}

/** Subscribes and waits until the subscription stands. */
export async function recordUp(store: Store): Promise<Recorder> {
  const recorder = record(store);
  await eventually(() => recorder.calls.includes('up'));
  return recorder;
}

export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => {
    if (!(await condition())) throw new Error('it did not come true');
  }, PATIENCE);
}

/** What a follower arrives at that read `from` and then applied the updates that are newer, one by one. */
export function replay(from: RouteSnapshot, updates: readonly RouteUpdate[]): RouteSnapshot {
  const routes = new Map(from.routes.map((r) => [scopeKey(r.queue, r.tenant), r]));
  const workers = new Map(from.workers.map((w) => [w.id, w]));
  let { revision } = from;
  for (const update of updates.filter((u) => u.revision > from.revision)) {
    const { change } = update;
    if (update.epoch !== from.epoch || update.revision !== revision + 1)
      throw new Error(`gap after ${revision}`);
    revision = update.revision;
    if (change.kind === 'route') routes.set(scopeKey(change.route.queue, change.route.tenant), change.route);
    else if (change.kind === 'worker') workers.set(change.worker.id, change.worker);
    else workers.delete(change.workerId);
  }
  return { epoch: from.epoch, revision, routes: [...routes.values()], workers: [...workers.values()] };
}

/** Order says nothing in a snapshot. */
export function sorted(snapshot: RouteSnapshot): RouteSnapshot {
  return {
    ...snapshot,
    routes: snapshot.routes.toSorted((a, b) =>
      compare(scopeKey(a.queue, a.tenant), scopeKey(b.queue, b.tenant)),
    ),
    workers: snapshot.workers.toSorted((a, b) => compare(a.id, b.id)),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : 1;
}
