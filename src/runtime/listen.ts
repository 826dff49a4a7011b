import type { Server as HttpServer } from 'node:http';
import { Server as NetServer, type AddressInfo, type Server } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { OperatorError } from './operator-error.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** Other processes may listen there as well, if they say so, too; the system shares connections out among them. */
  readonly reusePort?: boolean;
  /** The settings that change it, for the message when it can't be had. */
  readonly variables: string;
}

/** An address that can't be listened on. */
export class ListenError extends OperatorError {}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there already',
  EACCES: 'this user may not listen there (ports below 1024 need privileges)',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'the host name is unknown',
  ENOTSUP: 'this system cannot share a port (reuse_port)',
};

/** @throws ListenError naming the address, the reason and the settings */
export function listen(
  server: Server,
  { host, port, variables, reusePort = false }: ListenAddress,
): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const reason = REASONS[error.code ?? ''] ?? error.message;
      reject(
        new ListenError(`Cannot listen on ${host}:${port}: ${reason}. Set ${variables}.`, { cause: error }),
      );
    };
    server.once('error', onError);
    server.listen({ port, host, reusePort }, () => {
      server.off('error', onError);
      resolve(server.address() as AddressInfo);
    });
  });
}

/** A turn of the event loop that is shorter has done nothing but look for what there is to do. */
const EMPTY_TURN_MS = 0.05;
/** A process that is never idle stops listening all the same. */
const STOP_MS_MAX = 250;

/**
 * Stops listening and leaves the connections alone, also idle ones of HTTP. Connections that the system has accepted and
 * this process has not are lost with the socket (but for Linux with `net.ipv4.tcp_migrate_req`), so that is done right
 * after a turn in which there was nothing to do.
 * @returns the end of the last connection
 */
export async function stopListening(
  server: Server,
  monotonic: () => number,
): Promise<{ readonly closed: Promise<void> }> {
  const latest = monotonic() + STOP_MS_MAX;
  for (let began = monotonic(); began < latest; began = monotonic()) {
    await turn();
    if (monotonic() - began < EMPTY_TURN_MS) break;
  }
  return { closed: new Promise((resolve) => NetServer.prototype.close.call(server, () => resolve())) };
}

/** Stops listening and ends the connections that are left. */
export function closeServer(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** `http://127.0.0.1:8080` */
export function urlOf({ address, family, port }: AddressInfo, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
