import type { Clock } from '../../../core/clock.ts';
import type { Store } from '../store.ts';
import { createActivity } from './activity.ts';
import { openDatabase } from './database.ts';
import { createDeployments } from './deployments.ts';
import { createEventBus } from './event-bus.ts';
import { createRequests } from './requests.ts';
import { createRevisions } from './revisions.ts';
import { createRoutes } from './routes.ts';
import { createTelemetry } from './telemetry.ts';
import { createWorkers } from './workers.ts';

export interface EmbeddedStoreOptions {
  /** Made if it does not exist. One process at a time owns it. */
  readonly dataDir: string;
  readonly clock: Clock;
}

/**
 * The store of a single process that runs both planes: SQLite for what must last, an in-process bus for the rest.
 * @throws OperatorError if the directory can't be used; it says what is needed.
 */
export function openEmbeddedStore({ dataDir, clock }: EmbeddedStoreOptions): Store {
  const db = openDatabase(dataDir);
  const revisions = createRevisions(db);
  const events = createEventBus();
  return {
    kind: 'embedded',
    needsHashTags: false,
    ...createDeployments(db, revisions, events),
    ...createWorkers(db, revisions),
    ...createRoutes(db, revisions, clock),
    subscribeEvents: (listener) => events.subscribeEvents(listener),
    ...createTelemetry(db, clock),
    ...createActivity(db, clock),
    ...createRequests(db, clock),
    async ping() {
      revisions.head();
    },
    async close() {
      revisions.close();
      events.close();
      db.close();
    },
  };
}
