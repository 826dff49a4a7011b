import { connect } from 'node:net';
import type { AddressGuard } from '../src/runtime/addresses/address-guard.ts';
import type { Forwarder, ForwardHandler } from './forwarder.ts';
import { socketAddress } from './worker-address.ts';

/** One look at a worker: whether it takes a connection, or whether it says that it is well. */

/** A worker has more to do than to write long answers to this. */
const ANSWER_BYTES_MAX = 65_536;
const HEADERS = ['User-Agent', 'lanewise-probe', 'Accept', '*/*'] as const;

/** @returns whether it took a TCP connection, or that of its socket, in time */
export function takesConnection(
  url: string,
  timeoutMs: number,
  { lookup, refusalOf }: AddressGuard,
): Promise<boolean> {
  return new Promise((resolve) => {
    const address = socketAddress(url);
    if ('host' in address && refusalOf(address.host ?? '') !== undefined) {
      resolve(false);
      return;
    }
    const socket = connect({ ...address, lookup });
    const end = (taken: boolean): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/**
 * GET of its health path, by the way that its jobs take.
 * @param stopped ends it at once, as one that failed
 * @returns whether all of an answer of 2xx came in time
 */
export function saysWell(
  forwarder: Forwarder,
  path: string,
  timeoutMs: number,
  stopped?: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    let isGood = false;
    let bytes = 0;
    const giveUp = (): void => {
      exchange.abort();
      end(false);
    };
    const timer = setTimeout(giveUp, timeoutMs);
    const end = (isWell: boolean): void => {
      clearTimeout(timer);
      stopped?.removeEventListener('abort', giveUp);
      resolve(isWell);
    };
    const handler: ForwardHandler = {
      onSending: () => true,
      onInformation: () => undefined,
      onHead: (status) => void (isGood = status >= 200 && status < 300),
      onBody: (chunk) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) giveUp();
        return true;
      },
      onComplete: () => end(isGood),
      onTunnel: (_headers, socket) => {
        socket.destroy();
        end(false);
      },
      onFailure: () => end(false),
    };
    stopped?.addEventListener('abort', giveUp);
    const exchange = forwarder.forward({ method: 'GET', path, headers: [...HEADERS], body: null }, handler);
  });
}
