import type { Clock } from '../../../core/clock.ts';
import type { Logger } from '../../log.ts';
import { createDamagedRecords } from '../damaged-records.ts';
import type { Store } from '../store.ts';
import { createActivity } from './activity.ts';
import { createBackup } from './backup.ts';
import { openDatabase } from './database.ts';
import { createDeployments } from './deployments.ts';
import { createEventBus } from './event-bus.ts';
import { createEventLog } from './event-log.ts';
import { createJudge } from './judge.ts';
import { createJudgeLease } from './judge-lease.ts';
import { createLanes } from './lanes.ts';
import { createNoticeKeeper, createOutbox } from './outbox.ts';
import { createRequests } from './requests.ts';
import { createRevisions } from './revisions.ts';
import { createRoutes } from './routes.ts';
import { createTelemetry } from './telemetry.ts';
import { createWorkers } from './workers.ts';

export interface EmbeddedStoreOptions {
  /** Made if it does not exist. One process at a time owns it. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log?: Logger;
}

/**
 * The store of a single process that runs both planes: SQLite for what must last, an in-process bus for the rest.
 * @throws OperatorError if the directory can't be used; it says what is needed.
 */
export function openEmbeddedStore({ dataDir, clock, log }: EmbeddedStoreOptions): Store {
  const db = openDatabase(dataDir);
  const damage = createDamagedRecords(log);
  const revisions = createRevisions(db);
  const events = createEventBus();
  const eventLog = createEventLog(db, events);
  const lease = createJudgeLease(db, clock);
  const lanes = createLanes(db, clock);
  const keeping = { eventLog, keepNotices: createNoticeKeeper(db, clock), lease };
  return {
    kind: 'embedded',
    needsHashTags: false,
    ...createDeployments(db, revisions, events, keeping, damage),
    ...createWorkers(db, revisions, damage),
    ...createRoutes(db, revisions, clock, damage),
    subscribeEvents: (listener) => events.subscribeEvents(listener),
    ...createTelemetry(db, clock),
    ...createJudge(db, keeping),
    ...createOutbox(db, clock),
    ...createActivity(db, clock),
    ...createRequests(db, clock),
    ...createBackup(db, revisions),
    damagedRecords: () => damage.list(),
    ...lanes.store,
    readTime: async () => clock.now(),
    async ping() {
      revisions.head();
    },
    async close() {
      revisions.close();
      events.close();
      db.close();
      lanes.close();
    },
  };
}
