import { createAddressAllow, type AddressAllow } from './address-allow.ts';

/** Where workers may live, as `worker_url_allow` says: for who registers them, and for who connects to them. */
export interface WorkerAllow {
  readonly addresses: AddressAllow;
  /** Of Unix sockets, each ending with a slash. */
  readonly directories: readonly string[];
}

export const WORKER_URL_ALLOW = 'LANEWISE_WORKER_URL_ALLOW';

const UNIX_PREFIX = 'unix:';

/**
 * @param allow addresses and ranges, and directories of Unix sockets as `unix:/run/workers/`
 * @throws OperatorError naming every one that is neither
 */
export function createWorkerAllow(allow: readonly string[]): WorkerAllow {
  const isDirectory = (entry: string): boolean => entry.startsWith(`${UNIX_PREFIX}/`) && entry.endsWith('/');
  return {
    addresses: createAddressAllow({
      allow: allow.filter((entry) => !isDirectory(entry)),
      variable: WORKER_URL_ALLOW,
      subject: 'worker',
    }),
    directories: allow.filter(isDirectory).map((entry) => entry.slice(UNIX_PREFIX.length)),
  };
}
