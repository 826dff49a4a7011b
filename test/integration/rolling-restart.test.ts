import { setImmediate as turn } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { expect, test } from 'vitest';
import { QUEUE } from '../helpers/api.ts';
import { until } from '../helpers/patience.ts';
import { enlist, Fleet } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/** A proxy is replaced by another on the same port, while producers send jobs without a pause. */

/** Every fourth makes a new connection for each job, the others keep theirs. */
class Producers {
  sent = 0;
  readonly problems: string[] = [];
  readonly #url: string;
  readonly #agent: Agent;
  readonly #running: readonly Promise<void>[];
  #isStopped = false;

  constructor(url: string, count: number) {
    this.#url = url;
    this.#agent = new Agent({ connections: count });
    this.#running = Array.from({ length: count }, (_, i) => this.#run(i % 4 === 0));
  }

  more(jobs: number): Promise<void> {
    const target = this.sent + jobs;
    return until(() => this.sent >= target);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    await this.#agent.destroy();
  }

  async #run(connectsAnew: boolean): Promise<void> {
    while (!this.#isStopped) {
      try {
        const { statusCode, body } = await request(this.#url, {
          dispatcher: this.#agent,
          method: 'POST',
          body: '{}',
          reset: connectsAnew,
        });
        const text = await body.text();
        if (statusCode !== 200) this.problems.push(`${statusCode} ${text}`);
      } catch (error) {
        this.problems.push(`${connectsAnew ? 'new' : 'kept'} connection: ${String(error)}`);
        await turn();
      }
      this.sent++;
    }
  }
}

test.skipIf(process.platform !== 'linux')(
  'proxies that share a port are replaced one after the other under load, and no dispatch is lost',
  async () => {
    await using fleet = await Fleet.start(0, {
      LANEWISE_PROXY_REUSE_PORT: 'true',
      LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring',
    });
    await using worker = await TestWorker.start('v1', (_job, response) =>
      setTimeout(() => response.end('done'), 10),
    );
    let current = fleet.newProxy();
    await current.start();
    const port = new URL(current.face.dispatchUrl).port;
    await enlist({ api: fleet.api, proxies: [current.face] }, { id: 'w', version: 'v1', url: worker.url });
    const producers = new Producers(`${current.face.dispatchUrl}/dispatch/${QUEUE}`, 8);
    try {
      await producers.more(100);
      for (let round = 0; round < 2; round++) {
        const next = fleet.newProxy({ LANEWISE_PROXY_PORT: port });
        await next.start();
        expect(await current.process.end('SIGTERM')).toEqual({ code: 0, signal: null });
        await producers.more(200);
        const served = [...(await next.face.metric('canary_jobs_total')).values()];
        expect(served.reduce((sum, value) => sum + value, 0)).toBeGreaterThan(100);
        current = next;
      }
    } finally {
      await producers.stop();
    }
    expect(producers.problems).toEqual([]);
  },
);
