import { lookup } from 'node:dns/promises';
import type { ResolveHost } from './address-allow.ts';

/** A resolver that does not answer by then would only keep the caller waiting. */
const RESOLVE_TIMEOUT_MS = 3000;

/** All addresses of a host, as the system resolves it for a connection. */
export const systemResolveHost: ResolveHost = async (host) => {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`${host} was not resolved in ${RESOLVE_TIMEOUT_MS} ms`)),
    RESOLVE_TIMEOUT_MS,
  );
  try {
    const answers = await Promise.race([lookup(host, { all: true }), promise]);
    return answers.map(({ address }) => address);
  } finally {
    clearTimeout(timer);
  }
};
