import type { Notice } from '../outbox-store.ts';
import type { EventLog } from './event-log.ts';
import type { JudgeLease } from './judge-lease.ts';

/** What comes of a change besides its record: the fence that it is made under, the events and notices kept with it. */
export interface Keeping {
  readonly lease: JudgeLease;
  readonly eventLog: EventLog;
  /** Within the transaction under way. */
  readonly keepNotices: (notices: readonly Notice[]) => void;
}
