import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { keyOf } from '../../../config/webhooks.ts';
import type { Webhook } from '../../../control/webhooks/webhook.ts';
import { NOTICE_KINDS } from '../../../src/core/notice-kind.ts';

/** Somebody's server that webhooks are sent to, on a free port. */
export interface Receiver {
  readonly port: number;
  readonly url: string;
  /** What has come so far. */
  readonly received: readonly Delivery[];
  /** Once so many have come. */
  came(count: number): Promise<readonly Delivery[]>;
  /** The `webhook-id` of each, in order of arrival. */
  readonly ids: readonly string[];
  /** Connections that were made to it so far. */
  readonly connections: number;
}

export interface Delivery {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** @param respond given the number of the delivery, from 1; may leave it without an answer */
export async function startReceiver(
  respond: (response: ServerResponse, count: number) => void = (response) => response.writeHead(204).end(),
): Promise<Receiver> {
  const received: Delivery[] = [];
  const waiting = new Set<() => void>();
  let connections = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      received.push({ method, path, headers, body: Buffer.concat(chunks).toString() });
      for (const look of waiting) look();
      respond(response, received.length);
    });
  });
  server.on('connection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    received,
    get ids() {
      return received.map(({ headers }) => String(headers['webhook-id']));
    },
    get connections() {
      return connections;
    },
    async came(count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (received.length >= count) resolve();
      };
      waiting.add(look);
      look();
      await promise;
      waiting.delete(look);
      return received;
    },
  };
}

export const SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDXNuQp5qlbcA=';

export function webhookTo(url: string, over: Partial<Webhook> = {}): Webhook {
  return { name: 'ops', url: new URL(url), keys: [keyOf(SECRET)], kinds: new Set(NOTICE_KINDS), ...over };
}
