import { BlockList, isIP } from 'node:net';
import { OperatorError } from '../src/runtime/operator-error.ts';
import { canonicalAddress } from './address.ts';
import { quote } from './http/problems.ts';

/**
 * Where a worker may live. The proxies send requests to what the registry says, so the registry must not become a way
 * to send requests anywhere: only permitted ranges, and never the addresses where clouds keep their secrets.
 *
 * A name is resolved when its worker registers and every address of it is checked; an owner of the name's zone could
 * still point it elsewhere later, so in hostile surroundings register addresses.
 */

export type ResolveHost = (host: string) => Promise<readonly string[]>;

export type UrlVerdict =
  | { readonly kind: 'accepted'; /** Normalised, without a slash at the end. */ readonly url: string }
  | { readonly kind: 'refused'; readonly problem: string };

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

const URL_LENGTH_MAX = 2048;

/** @throws OperatorError naming every range that is not one */
export function createWorkerUrlCheck(
  allow: readonly string[],
  resolve: ResolveHost,
): (text: string) => Promise<UrlVerdict> {
  const allowed = rangesOf(allow);
  const never = rangesOf(NEVER);
  const ranges = `the allowed ranges are ${allow.join(', ')} (LANEWISE_WORKER_URL_ALLOW)`;

  const problemOf = (address: string): string | undefined => {
    if (isIn(never, address)) return `points to ${address}, which no worker may have`;
    return isIn(allowed, address) ? undefined : `points to ${address}; ${ranges}`;
  };

  return async (text) => {
    const form = parseWorkerUrl(text);
    if (form.kind === 'refused') return form;
    const { url } = form;
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    const addresses = isIP(host) > 0 ? [host] : await resolve(host).catch(() => []);
    if (addresses.length === 0) return refused(`has the host ${quote(host)}, which could not be resolved`);
    for (const address of addresses) {
      const problem = problemOf(canonicalAddress(address));
      if (problem !== undefined) return refused(problem);
    }
    return { kind: 'accepted', url: url.href.replace(/\/+$/, '') };
  };
}

function parseWorkerUrl(text: string): { kind: 'parsed'; url: URL } | { kind: 'refused'; problem: string } {
  // WHATWG parsing also normalises decimal, octal and hexadecimal forms of an address.
  const url = text.length <= URL_LENGTH_MAX ? URL.parse(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    return refused(`must be an http:// or https:// URL, got ${quote(text)}`);
  }
  // The value itself may be a secret here.
  if (url.username !== '' || url.password !== '') return refused('must not hold a user name or password');
  if (url.search !== '' || url.hash !== '')
    return refused(`must end with the path, without ? and #, got ${quote(text)}`);
  return { kind: 'parsed', url };
}

function refused(problem: string) {
  return { kind: 'refused', problem } as const;
}

function rangesOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  const bad = cidrs.filter((cidr) => !addRange(list, cidr));
  if (bad.length > 0) {
    throw new OperatorError(
      `LANEWISE_WORKER_URL_ALLOW: ${bad.map(quote).join(', ')} must be an address or a range such as 10.0.0.0/8`,
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
