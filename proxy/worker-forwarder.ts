import type { Exchange, Forwarder, ForwardHandler, ForwardRequest } from './forwarder.ts';
import { StreamedBody } from './request-body.ts';
import { StreamingForwarder } from './streaming-forwarder.ts';
import { UndiciForwarder } from './undici-forwarder.ts';
import { workerAddress, type WorkerWays } from './worker-address.ts';

/** The way to one worker: undici, but for bodies that are still on their way. */
export class WorkerForwarder implements Forwarder {
  readonly #undici: UndiciForwarder;
  readonly #streaming: StreamingForwarder;

  constructor(url: string, ways: WorkerWays) {
    const address = workerAddress(url);
    this.#undici = new UndiciForwarder(address, ways);
    this.#streaming = new StreamingForwarder(address, ways);
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
