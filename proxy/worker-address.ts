import type { NetConnectOpts } from 'node:net';
import type { AddressGuard } from '../src/runtime/addresses/address-guard.ts';
import type { ClientTls } from '../src/runtime/tls/client-tls.ts';

/** Where a worker listens, from the `url` that it is registered with, and what is agreed on how to speak with it. */
export interface WorkerAddress {
  /** Without a path; of a Unix socket, what `Host` says. */
  readonly origin: string;
  /** For `Host`. */
  readonly host: string;
  readonly socketPath: string | undefined;
  /** What goes before the path of each request: empty, or beginning with `/`. */
  readonly basePath: string;
}

/** Milliseconds; 0: none. */
export interface WorkerTimeouts {
  readonly connect: number;
  /** From the end of the request to the head of the answer. */
  readonly responseHeader: number;
  /** Between two pieces of a body, either way. */
  readonly idleBody: number;
}

/** What all ways to workers share. */
export interface WorkerWays {
  readonly timeouts: WorkerTimeouts;
  readonly tls: ClientTls;
  /** Before every connection but those to Unix sockets, whose paths nobody can make to mean something else. */
  readonly guard: AddressGuard;
}

const UNIX_PREFIX = 'unix:';

/** @param url `http://…`, `https://…`, or `unix:/path/of/a/socket` */
export function workerAddress(url: string): WorkerAddress {
  if (url.startsWith(UNIX_PREFIX))
    return {
      origin: 'http://localhost',
      host: 'localhost',
      socketPath: url.slice(UNIX_PREFIX.length),
      basePath: '',
    };
  const { origin, host, pathname } = new URL(url);
  return { origin, host, socketPath: undefined, basePath: pathname.replace(/\/+$/, '') };
}

/** @param path of a request: empty, or beginning with `/` or `?` */
export function pathAt({ basePath }: WorkerAddress, path: string): string {
  const whole = basePath + path;
  return whole.startsWith('/') ? whole : `/${whole}`;
}

/** What a TCP connection to it needs, and nothing more. */
export function socketAddress(url: string): NetConnectOpts {
  const { origin, socketPath } = workerAddress(url);
  if (socketPath !== undefined) return { path: socketPath };
  const { hostname, port, protocol } = new URL(origin);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(port) || (protocol === 'https:' ? 443 : 80) };
}
