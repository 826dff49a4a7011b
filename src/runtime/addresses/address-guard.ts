import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { bareHost, type AddressAllow, type ResolveHost } from './address-allow.ts';

/** The address is none that may be connected to. Its message completes "the URL …". */
export class AddressRefused extends Error {}

/**
 * Stands before each connection. A name is resolved once for it, and what was checked is what is connected to: were it
 * resolved once to check and once more to connect, its owner could answer differently the second time (DNS rebinding).
 */
export interface AddressGuard {
  /** In place of the system's, wherever a connection to a name is made. One bad address of several is one too many. */
  readonly lookup: LookupFunction;
  /** An address is connected to without a lookup. @param hostname of a URL */
  readonly refusalOf: (hostname: string) => AddressRefused | undefined;
}

/** @param onRefused is told of each connection that is not made */
export function createAddressGuard(
  allow: AddressAllow,
  resolve: ResolveHost,
  onRefused: (host: string, problem: string) => void = () => undefined,
): AddressGuard {
  const refusal = (address: string, host: string): AddressRefused | undefined => {
    const problem = allow.problemOf(address);
    if (problem === undefined) return undefined;
    onRefused(host, problem);
    return new AddressRefused(problem);
  };

  const checkedAddresses = async (host: string): Promise<readonly LookupAddress[]> => {
    const addresses = await resolve(host);
    for (const address of addresses) {
      const refused = refusal(address, host);
      if (refused !== undefined) throw refused;
    }
    if (addresses.length === 0) throw new Error(`${host} has no address`);
    return addresses.map((address) => ({ address, family: isIP(address) }));
  };

  const answer = async (...[host, { all }, callback]: Parameters<LookupFunction>): Promise<void> => {
    let found: readonly LookupAddress[];
    try {
      found = await checkedAddresses(host);
    } catch (error) {
      callback(error as Error, []);
      return;
    }
    if (all) callback(null, [...found]);
    else callback(null, found[0]!.address, found[0]!.family);
  };

  return {
    lookup: (host, options, callback) => void answer(host, options, callback),
    refusalOf(hostname) {
      const host = bareHost(hostname);
      return isIP(host) > 0 ? refusal(host, host) : undefined;
    },
  };
}
