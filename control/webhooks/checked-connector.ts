import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { bareHost, type AddressAllow, type ResolveHost } from '../address-allow.ts';

/** The receiver's address is none that may be connected to. Its message completes "the URL …". */
export class AddressRefused extends Error {}

/**
 * Connects to allowed addresses only. A name is resolved once for each connection, and what was checked is what is
 * connected to: were it resolved once to check and once more to connect, its owner could answer differently the second
 * time (DNS rebinding).
 * @param timeoutMs for the connection
 */
export function createCheckedConnector(
  allow: AddressAllow,
  resolve: ResolveHost,
  timeoutMs: number,
): buildConnector.connector {
  const check = (address: string): void => {
    const problem = allow.problemOf(address);
    if (problem !== undefined) throw new AddressRefused(problem);
  };

  const checkedAddresses = async (host: string): Promise<readonly LookupAddress[]> => {
    const addresses = await resolve(host);
    addresses.forEach(check);
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

  const lookup: LookupFunction = (host, options, callback) => void answer(host, options, callback);
  const connect = buildConnector({ lookup, timeout: timeoutMs, allowH2: false });
  return (options, callback) => {
    // An address is connected to without a lookup.
    const host = bareHost(options.hostname);
    try {
      if (isIP(host) > 0) check(host);
    } catch (error) {
      callback(error as Error, null);
      return;
    }
    connect(options, callback);
  };
}
