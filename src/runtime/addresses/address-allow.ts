import { BlockList, isIP } from 'node:net';
import { OperatorError } from '../operator-error.ts';
import { canonicalAddress } from './canonical-address.ts';

/**
 * The addresses that Lanewise may send requests to on somebody's word: what a registry or a configuration names must not
 * become a way to send requests anywhere. Only permitted ranges, and never the addresses where clouds keep their
 * secrets.
 */
export interface AddressAllow {
  /** Completes "the URL …". @returns undefined for an address that is allowed */
  problemOf(address: string): string | undefined;
}

/** All addresses of a host. @throws if there are none to be had */
export type ResolveHost = (host: string) => Promise<readonly string[]>;

/** Whatever the configuration allows. */
const NEVER = [
  '0.0.0.0/8', // "this host": connects to loopback on Linux without saying so
  '169.254.0.0/16', // link-local, and the metadata service of AWS, GCP, Azure and others
  '100.100.100.200/32', // Alibaba's metadata service
  '168.63.129.16/32', // Azure's host
  '192.0.0.192/32', // Oracle's classic metadata service
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
  '::/128',
  'fe80::/10', // link-local
  'ff00::/8', // multicast
  'fd00:ec2::254/128', // AWS's metadata service over IPv6
];

export interface AddressAllowOptions {
  /** Addresses and CIDR ranges. */
  readonly allow: readonly string[];
  /** The setting that they come from. */
  readonly variable: string;
  /** What lives at such an address: `worker`. */
  readonly subject: string;
}

/** @throws OperatorError naming every range that is not one */
export function createAddressAllow({ allow, variable, subject }: AddressAllowOptions): AddressAllow {
  const never = rangesOf(NEVER, variable);
  const allowed = rangesOf(allow, variable);
  return {
    problemOf(address) {
      const canonical = canonicalAddress(address);
      if (isIn(never, canonical)) return `points to ${canonical}, which no ${subject} may have`;
      if (isIn(allowed, canonical)) return undefined;
      return `points to ${canonical}; the allowed ranges are ${allow.join(', ')} (${variable})`;
    },
  };
}

/** A host name of a URL without the brackets of IPv6. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Every address of a host that is a name; itself, if it is an address. Empty if it can't be resolved. */
export async function addressesOf(host: string, resolve: ResolveHost): Promise<readonly string[]> {
  return isIP(host) > 0 ? [host] : resolve(host).catch(() => []);
}

function rangesOf(cidrs: readonly string[], variable: string): BlockList {
  const list = new BlockList();
  const bad = cidrs.filter((cidr) => !addRange(list, cidr));
  if (bad.length > 0) {
    throw new OperatorError(
      `${variable}: ${bad.map((cidr) => JSON.stringify(cidr)).join(', ')} must be an address or a range such as 10.0.0.0/8`,
    );
  }
  return list;
}

function addRange(list: BlockList, cidr: string): boolean {
  const [address = '', prefix, ...rest] = cidr.split('/');
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : Number(prefix);
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && length <= bits);
  if (family === 0 || !isPrefix || rest.length > 0) return false;
  list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
  return true;
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}
