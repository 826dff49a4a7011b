import type { DeploymentEvent } from '../../../core/deployment.ts';
import { eventRecord } from '../records.ts';
import { numberOf, type Database } from './database.ts';
import type { EventBus } from './event-bus.ts';

export interface KeptEvent {
  readonly event: DeploymentEvent;
  readonly position: number;
}

/** Events of deployments: kept within the transaction under way, told of once it has committed. */
export interface EventLog {
  keep(deploymentId: string, events: readonly DeploymentEvent[]): readonly KeptEvent[];
  publish(kept: readonly KeptEvent[]): void;
}

export function createEventLog(db: Database, bus: EventBus): EventLog {
  return {
    keep(deploymentId, events) {
      const before = db.get('SELECT count(*) AS n FROM events WHERE deployment_id = ?', deploymentId);
      return events.map((event, i) => {
        db.run(
          'INSERT INTO events (deployment_id, record) VALUES (?, ?)',
          deploymentId,
          eventRecord.encode(event),
        );
        return { event, position: numberOf(before, 'n') + i + 1 };
      });
    },
    publish(kept) {
      for (const { event, position } of kept) bus.event(event, position);
    },
  };
}
