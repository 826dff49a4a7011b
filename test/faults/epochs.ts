import { setTimeout as delay } from 'node:timers/promises';
import type { RedisGroup } from './redis-group.ts';

/**
 * When the store began to count anew: it was restarted, another server took over, or it lost everything. Redis itself
 * may then have lost its latest writes, which nothing of ours can mend; without a new epoch it may not.
 */
export class Epochs implements AsyncDisposable {
  readonly #redis: RedisGroup;
  readonly #changes: number[] = [];
  readonly #running: Promise<void>;
  #last: string | undefined;
  #isStopped = false;

  constructor(redis: RedisGroup) {
    this.#redis = redis;
    this.#running = this.#run();
  }

  get count(): number {
    return this.#changes.length;
  }

  /** An epoch is begun by whoever asks the new server first, which takes a proxy's poll at the most. */
  async begunSince(from: number): Promise<number> {
    const since = (): number => this.#changes.filter((at) => at >= from).length;
    for (let looks = 0; since() === 0 && looks < 300; looks++) await delay(100);
    return since();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const epoch = await this.#redis.epoch();
      if (epoch !== undefined && epoch !== this.#last) {
        if (this.#last !== undefined) this.#changes.push(performance.now());
        this.#last = epoch;
      }
      await delay(200);
    }
  }
}
