/**
 * An epoch is `<origin>` or `<origin>.<its own id>`, each a UUID of version 7: a store that is restarted or failed over
 * begins a new epoch of the same origin, one that has lost everything a new origin. So whoever remembers the old one can
 * tell a store that may lack the latest writes from one that lacks them all. As texts they sort by their beginning.
 */
export function originOf(epoch: string): string {
  return epoch.split('.', 1)[0]!;
}
