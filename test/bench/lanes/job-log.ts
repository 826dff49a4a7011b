import { sentAtOf, sharedNow } from './job.ts';

/** Which jobs have arrived, how often, and how long they took. */
export interface Done {
  /** Of distinct jobs. */
  readonly count: number;
  readonly repeats: number;
}

export class JobLog {
  #ids = new Set<string>();
  #repeats = 0;
  #waiting: { readonly count: number; readonly resolve: (done: Done) => void } | undefined;
  latencies: number[] = [];

  now(): number {
    return sharedNow();
  }

  note(id: string, body: string, arrivedAt: number): void {
    if (this.#ids.has(id)) this.#repeats++;
    this.#ids.add(id);
    this.latencies.push(arrivedAt - sentAtOf(body));
    if (this.#waiting !== undefined && this.#ids.size >= this.#waiting.count) {
      this.#waiting.resolve(this.#done());
      this.#waiting = undefined;
    }
  }

  /** Resolves when so many distinct jobs have arrived. */
  done(count: number): Promise<Done> {
    const { promise, resolve } = Promise.withResolvers<Done>();
    if (this.#ids.size >= count) resolve(this.#done());
    else this.#waiting = { count, resolve };
    return promise;
  }

  reset(): void {
    this.#ids = new Set();
    this.#repeats = 0;
    this.latencies = [];
  }

  #done(): Done {
    return { count: this.#ids.size, repeats: this.#repeats };
  }
}
