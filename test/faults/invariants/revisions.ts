import { setTimeout as delay } from 'node:timers/promises';
import type { ProxyMember } from '../member.ts';
import type { Violations } from '../violations.ts';

/** Within an epoch the revision of a proxy never goes back; asked again and again, over all lives of the proxy. */
export class RevisionWatch implements AsyncDisposable {
  looks = 0;
  readonly #violations: Violations;
  readonly #latest = new Map<string, number>();
  readonly #running: readonly Promise<void>[];
  #isStopped = false;

  constructor(proxies: readonly ProxyMember[], violations: Violations) {
    this.#violations = violations;
    this.#running = proxies.map((proxy) => this.#run(proxy));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async #run({ name, process }: ProxyMember): Promise<void> {
    while (!this.#isStopped) {
      const { pid } = process.process;
      const shows = await process.face.routes().catch(() => undefined);
      // A proxy that starts again begins with what it had saved, which may be a little older.
      if (shows !== undefined && shows.epoch !== '' && pid === process.process.pid) {
        const key = `${name} (${pid}) in epoch ${shows.epoch}`;
        const before = this.#latest.get(key) ?? 0;
        if (shows.revision < before)
          this.#violations.add('the revision never goes back', `${key}: ${before}, then ${shows.revision}`);
        this.#latest.set(key, Math.max(before, shows.revision));
        this.looks++;
      }
      await delay(150);
    }
  }
}
