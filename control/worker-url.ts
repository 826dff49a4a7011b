import { normalize } from 'node:path/posix';
import { addressesOf, bareHost, type ResolveHost } from '../src/runtime/addresses/address-allow.ts';
import { createWorkerAllow, WORKER_URL_ALLOW } from '../src/runtime/addresses/worker-allow.ts';
import { quote } from './http/problems.ts';

/**
 * Where a worker may live: the proxies send requests to what the registry says.
 *
 * A Unix socket may be anybody's (a database, a container engine), so none is allowed but below directories that the
 * operator names.
 *
 * A name is resolved when its worker registers and every address of it is checked. The owner of the name's zone may point
 * it elsewhere later, so the proxies check again what they connect to.
 */

export type UrlVerdict =
  | { readonly kind: 'accepted'; /** Normalised, without a slash at the end. */ readonly url: string }
  | { readonly kind: 'refused'; readonly problem: string };

const URL_LENGTH_MAX = 2048;
/** What an address of a Unix socket holds on all systems (Linux 107, macOS 103). */
const SOCKET_PATH_LENGTH_MAX = 103;

const UNIX_PREFIX = 'unix:';

/**
 * @param allow addresses and ranges, and directories of Unix sockets as `unix:/run/workers/`
 * @throws OperatorError naming every one that is neither
 */
export function createWorkerUrlCheck(
  allow: readonly string[],
  resolve: ResolveHost,
): (text: string) => Promise<UrlVerdict> {
  const { addresses, directories } = createWorkerAllow(allow);

  return async (text) => {
    if (text.startsWith(UNIX_PREFIX)) return checkSocket(text, directories);
    const form = parseWorkerUrl(text);
    if (form.kind === 'refused') return form;
    const { url } = form;
    const host = bareHost(url.hostname);
    const found = await addressesOf(host, resolve);
    if (found.length === 0) return refused(`has the host ${quote(host)}, which could not be resolved`);
    for (const address of found) {
      const problem = addresses.problemOf(address);
      if (problem !== undefined) return refused(problem);
    }
    return { kind: 'accepted', url: url.href.replace(/\/+$/, '') };
  };
}

function checkSocket(text: string, directories: readonly string[]): UrlVerdict {
  const path = text.slice(UNIX_PREFIX.length);
  if (
    !path.startsWith('/') ||
    path.length > SOCKET_PATH_LENGTH_MAX ||
    normalize(path) !== path ||
    path.endsWith('/')
  )
    return refused(
      `must be unix: and the absolute path of a socket, of at most ${SOCKET_PATH_LENGTH_MAX} bytes, got ${quote(text)}`,
    );
  if (directories.some((directory) => path.startsWith(directory))) return { kind: 'accepted', url: text };
  const allowed =
    directories.length === 0 ? 'none is allowed' : `the allowed directories are ${directories.join(', ')}`;
  return refused(`is the Unix socket ${path}; ${allowed} (${WORKER_URL_ALLOW}, as in unix:/run/workers/)`);
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
