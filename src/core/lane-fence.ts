/** The revision of a routing change, within an epoch; see `RouteHead`. */
interface Position {
  readonly epoch: string;
  readonly revision: number;
}

/**
 * Whether what was routed by `routedBy` comes too late. Within an epoch revisions tell. Between epochs their ids do:
 * they are UUIDs of version 7, which sort by the time at which they were made. So the fence of an older epoch is void
 * for whoever has read the newer one, and stands against those who have not noticed yet.
 *
 * Should clocks have made two epochs sort the wrong way round, whoever is refused reads the store's head, sees its own
 * epoch there, and fences with it: a fence replaces one of any other epoch.
 */
export function isFencedOff(fence: Position | undefined, routedBy: Position): boolean {
  if (fence === undefined) return false;
  return fence.epoch === routedBy.epoch ? fence.revision > routedBy.revision : fence.epoch > routedBy.epoch;
}

/** What stands after `next` was asked for: within an epoch it only grows. */
export function raiseFence<P extends Position>(fence: P | undefined, next: P): P {
  return fence !== undefined && fence.epoch === next.epoch && fence.revision > next.revision ? fence : next;
}
