import type { fetch as undiciFetch } from 'undici';
import { plainTransport, type Transport } from './plain-transport.ts';

/** What goes over the network, with certificates of one's own where there are some. */

/** PEM texts. What is left out is as Node has it. */
export interface TlsOptions {
  /** Of the CA that has signed the server's certificate, in place of those that Node trusts. */
  readonly ca?: string | undefined;
  /** For a server that wants one; with `key`. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly passphrase?: string | undefined;
}

export function createTransport(tls: TlsOptions | undefined): Transport {
  if (tls === undefined) return plainTransport;
  let opened: ReturnType<typeof open> | undefined;
  return {
    async fetch(target, init) {
      const { dispatcher, undici } = await (opened ??= open(tls));
      type Init = Parameters<typeof undiciFetch>[1];
      return undici.fetch(target, { ...(init as unknown as Init), dispatcher });
    },
    async openWebSocket(url, protocols) {
      const { dispatcher, undici } = await (opened ??= open(tls));
      return new undici.WebSocket(url, { protocols, dispatcher });
    },
  };
}

/** Node's own `fetch` takes no certificates. Loaded only where they are needed. */
async function open({ ca, cert, key, passphrase }: TlsOptions) {
  const undici = await import('undici');
  const connect = {
    allowH2: false,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && { passphrase }),
  };
  return { undici, dispatcher: new undici.Agent({ connect }) };
}
