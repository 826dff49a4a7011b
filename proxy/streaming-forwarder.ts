import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Exchange, Forwarder, ForwardHandler, ForwardRequest } from './forwarder.ts';
import type { StreamedBody } from './request-body.ts';
import { StreamingExchange } from './streaming-exchange.ts';
import { pathAt, type WorkerAddress, type WorkerTimeouts, type WorkerWays } from './worker-address.ts';
import { WorkerAgents } from './worker-agents.ts';

/**
 * Forwarding of bodies that are still on their way, over Node's own client. It can do what undici can't: send trailers,
 * wait for 100, and hear out a worker that answers before it has read everything.
 */
export class StreamingForwarder implements Forwarder {
  readonly #address: WorkerAddress;
  readonly #timeouts: WorkerTimeouts;
  readonly #agents: WorkerAgents;
  readonly #running = new Set<StreamingExchange>();
  #onIdle: (() => void) | undefined;

  constructor(address: WorkerAddress, ways: WorkerWays) {
    this.#address = address;
    this.#timeouts = ways.timeouts;
    this.#agents = new WorkerAgents(ways, isTls(address));
  }

  forward(request: ForwardRequest, handler: ForwardHandler): Exchange {
    const { origin, host, socketPath } = this.#address;
    const body = request.body as StreamedBody;
    const open = isTls(this.#address) ? requestTls : requestPlain;
    const outgoing = open(origin, {
      agent: this.#agents.current,
      method: request.method,
      path: pathAt(this.#address, request.path),
      headers: [...request.headers, 'Host', host, ...framing(body)],
      ...(socketPath !== undefined && { socketPath }),
    });
    const exchange = new StreamingExchange(outgoing, body, this.#timeouts, handler, () => {
      this.#running.delete(exchange);
      if (this.#running.size === 0) this.#onIdle?.();
    });
    this.#running.add(exchange);
    return exchange;
  }

  async close(): Promise<void> {
    if (this.#running.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    this.#agents.destroy();
  }

  async destroy(): Promise<void> {
    for (const exchange of this.#running) exchange.fail('broken', new Error('the proxy is closing'));
    this.#agents.destroy();
  }
}

function isTls({ origin }: WorkerAddress): boolean {
  return origin.startsWith('https:');
}

/** Names and values, flat. */
function framing({ length, isAwaited }: StreamedBody): string[] {
  const headers =
    length === undefined ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(length)];
  if (isAwaited) headers.push('Expect', '100-continue');
  return headers;
}
