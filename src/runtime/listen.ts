import { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { OperatorError } from './operator-error.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
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
};

/** @throws ListenError naming the address, the reason and the settings */
export function listen(server: Server, { host, port, variables }: ListenAddress): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const reason = REASONS[error.code ?? ''] ?? error.message;
      reject(
        new ListenError(`Cannot listen on ${host}:${port}: ${reason}. Set ${variables}.`, { cause: error }),
      );
    };
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      resolve(server.address() as AddressInfo);
    });
  });
}

/** Stops listening and ends the connections that are left. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    if (server instanceof HttpServer) server.closeAllConnections();
  });
}

/** `http://127.0.0.1:8080` */
export function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
