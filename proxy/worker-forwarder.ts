import type { Exchange, Forwarder, ForwardHandler, ForwardRequest } from './forwarder.ts';
import { StreamedBody } from './request-body.ts';
import { StreamingForwarder } from './streaming-forwarder.ts';
import { UndiciForwarder } from './undici-forwarder.ts';
import { workerAddress, type WorkerTimeouts } from './worker-address.ts';
import type { ClientTls } from '../src/runtime/tls/client-tls.ts';

/** The way to one worker: undici, but for bodies that are still on their way. */
export class WorkerForwarder implements Forwarder {
  readonly #undici: UndiciForwarder;
  readonly #streaming: StreamingForwarder;

  constructor(url: string, timeouts: WorkerTimeouts, tls: ClientTls) {
    const address = workerAddress(url);
    this.#undici = new UndiciForwarder(address, timeouts, tls);
    this.#streaming = new StreamingForwarder(address, timeouts, tls);
  }

  forward(request: ForwardRequest, handler: ForwardHandler): Exchange {
    const way = request.body instanceof StreamedBody ? this.#streaming : this.#undici;
    return way.forward(request, handler);
  }

  async close(): Promise<void> {
    await Promise.all([this.#undici.close(), this.#streaming.close()]);
  }

  async destroy(): Promise<void> {
    await Promise.all([this.#undici.destroy(), this.#streaming.destroy()]);
  }
}
