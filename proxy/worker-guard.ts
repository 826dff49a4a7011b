import type { Config } from '../config/load.ts';
import { createAddressGuard, type AddressGuard } from '../src/runtime/addresses/address-guard.ts';
import type { ResolveHost } from '../src/runtime/addresses/address-allow.ts';
import { createWorkerAllow } from '../src/runtime/addresses/worker-allow.ts';
import type { Logger } from '../src/runtime/log.ts';

/** Hosts are those of registered workers; should they ever be more, some are told of again. */
const TOLD_MAX = 10_000;

/**
 * Stands before every connection to a worker. The control plane has checked its `url` when it was registered; but what a
 * name leads to may have changed since, and whoever writes to the store can register anything.
 * @throws OperatorError if `worker_url_allow` holds something that is no range
 */
export function createWorkerGuard(
  { worker_url_allow }: Pick<Config, 'worker_url_allow'>,
  resolve: ResolveHost,
  log: Logger,
): AddressGuard {
  const told = new Set<string>();
  return createAddressGuard(createWorkerAllow(worker_url_allow).addresses, resolve, (host, problem) => {
    const key = `${host} ${problem}`;
    if (told.has(key)) return;
    if (told.size >= TOLD_MAX) told.clear();
    told.add(key);
    log.warn({ host, problem }, 'a worker is not connected to: its address is not allowed');
  });
}
