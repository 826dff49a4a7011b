import { LanewiseError } from '../../src/core/errors.ts';
import type { LaneQueue } from '../../src/core/lane-keys.ts';
import type { QueueDepths } from '../../src/runtime/store/lane-store.ts';
import type { Store } from '../../src/runtime/store/store.ts';

/** What lies in a queue; or why nobody can say, which must not keep the other queues from being shown. */
export type QueueReading =
  /** Only a queue with an intake has one to read. */
  | { readonly kind: 'read'; readonly depths: QueueDepths; readonly intake?: IntakeReading }
  /** Something else has its keys, or it can't be on this Redis. */
  | { readonly kind: 'unusable'; readonly problem: string };

/** Jobs that are not routed yet; or why nobody can say, which must not keep the lanes from being looked after. */
export type IntakeReading =
  { readonly kind: 'read'; readonly depth: number } | { readonly kind: 'unusable'; readonly problem: string };

export type QueueReadingStore = Pick<Store, 'readDepths' | 'intake'>;

/** Enough to keep the store busy, not enough to fill its queue. */
export const READINGS_AT_ONCE = 64;

/** @throws STORE_UNAVAILABLE */
export async function readQueue(store: QueueReadingStore, lanes: LaneQueue): Promise<QueueReading> {
  return orUnusable(async () => {
    const [depths, intake] = await Promise.all([store.readDepths(lanes), readIntake(store, lanes)]);
    return { kind: 'read', depths, ...(intake !== undefined && { intake }) };
  });
}

async function readIntake(
  { intake }: QueueReadingStore,
  lanes: LaneQueue,
): Promise<IntakeReading | undefined> {
  if (lanes.intake === undefined || intake === undefined) return undefined;
  return orUnusable(async () => ({ kind: 'read', depth: await intake.readIntakeDepth(lanes) }));
}

async function orUnusable<T>(
  read: () => Promise<T>,
): Promise<T | { readonly kind: 'unusable'; readonly problem: string }> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof LanewiseError) || error.code !== 'QUEUE_UNAVAILABLE') throw error;
    return { kind: 'unusable', problem: error.message };
  }
}
