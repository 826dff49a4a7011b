import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { QUEUE } from '../helpers/api.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { enlist, Fleet, Standalone, type ProxyFace, type System } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/**
 * Jobs in lanes while the processes that take them die: every job that was accepted is done, and what is done twice
 * was under way in a process that was killed.
 */

const STRATEGIES = ['split_queue', 'stream_group'] as const;
const CONCURRENCY = 5;
const SETTINGS = {
  LANEWISE_LANES_LEASE: '1s',
  LANEWISE_LANES_CONCURRENCY: String(CONCURRENCY),
  LANEWISE_QUEUES: JSON.stringify({ [QUEUE]: { retry_delay: '10ms', retry_delay_max: '100ms' } }),
};

/** Puts in jobs without rest, and keeps account of those that were accepted. */
class Producer implements AsyncDisposable {
  readonly accepted = new Set<string>();
  #sent = 0;
  #isStopped = false;
  readonly #running: Promise<void>[];

  constructor(proxies: () => readonly ProxyFace[]) {
    this.#running = Array.from({ length: 4 }, (_, i) => this.#run(i, proxies));
  }

  /** Resolves when that many more have been accepted. */
  async puts(jobs: number): Promise<void> {
    const target = this.accepted.size + jobs;
    await vi.waitUntil(() => this.accepted.size >= target, PATIENCE);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(i: number, proxies: () => readonly ProxyFace[]): Promise<void> {
    while (!this.#isStopped) {
      const faces = proxies();
      const id = `job-${++this.#sent}`;
      try {
        const { status } = await faces[i % faces.length]!.send({ 'x-job-id': id });
        if (status === 202) this.accepted.add(id);
      } catch {
        // It may have been stored all the same: then it is done, and nobody was promised anything.
        await turn();
      }
    }
  }
}

/** Two workers, each for some milliseconds busy with a job, and what came to them. */
class Workers implements AsyncDisposable {
  readonly #workers: readonly TestWorker[];

  private constructor(workers: readonly TestWorker[]) {
    this.#workers = workers;
  }

  static async start(system: System): Promise<Workers> {
    const start = (): Promise<TestWorker> =>
      TestWorker.start('v1', (_job, response) => void setTimeout(() => response.end(), 3));
    const workers = [await start(), await start()];
    for (const [i, worker] of workers.entries())
      await enlist(system, { id: `worker-${i}`, version: 'v1', url: worker.url });
    return new Workers(workers);
  }

  get repeated(): readonly string[] {
    return [...this.#times()].filter(([, times]) => times > 1).map(([id]) => id);
  }

  /** Resolves when all of them have come. */
  async get(accepted: ReadonlySet<string>): Promise<void> {
    await vi.waitUntil(() => {
      const times = this.#times();
      return [...accepted].every((id) => times.has(id));
    }, PATIENCE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }

  #times(): ReadonlyMap<string, number> {
    const times = new Map<string, number>();
    for (const { headers } of this.#workers.flatMap(({ jobs }) => jobs)) {
      const id = String(headers['x-job-id']);
      times.set(id, (times.get(id) ?? 0) + 1);
    }
    return times;
  }
}

describe.each(STRATEGIES)('with %s', (strategy) => {
  const settings = { ...SETTINGS, LANEWISE_DEFAULT_ROUTING_STRATEGY: strategy };

  it('a proxy that is killed loses no job; the others do what it had', async () => {
    await using fleet = await Fleet.start(2, settings);
    await using workers = await Workers.start(fleet);
    const [first, second] = fleet.members;
    await using producer = new Producer(() => [second!.face]);
    let underWay = 0;
    for (let round = 0; round < 3; round++) {
      await producer.puts(200);
      await first!.process.end('SIGKILL');
      underWay += CONCURRENCY * 2;
      await producer.puts(100);
      await first!.start();
    }
    await producer.stop();
    await workers.get(producer.accepted);
    expect(workers.repeated.length).toBeLessThanOrEqual(underWay);
  });

  it('a proxy that is stopped in good order loses no job and repeats none', async () => {
    await using fleet = await Fleet.start(2, settings);
    await using workers = await Workers.start(fleet);
    const [first, second] = fleet.members;
    await using producer = new Producer(() => [second!.face]);
    await producer.puts(200);
    const exit = await first!.process.end('SIGTERM');
    await producer.puts(200);
    await producer.stop();
    await workers.get(producer.accepted);
    expect(exit).toEqual({ code: 0, signal: null });
    expect(workers.repeated).toEqual([]);
  });

  it('a Redis that is killed and comes back has every job, and they are taken up by themselves', async () => {
    await using fleet = await Fleet.start(2, { ...settings, LANEWISE_LANES_LEASE: '1m' });
    await using workers = await Workers.start(fleet);
    await using producer = new Producer(() => fleet.proxies);
    await producer.puts(300);
    await fleet.redis.kill();
    await fleet.redis.start();
    await producer.puts(300);
    await producer.stop();
    await workers.get(producer.accepted);
    expect(workers.repeated).toEqual([]);
  });
});

describe.each(STRATEGIES)('the standalone process with %s', (strategy) => {
  it('that is killed does after its restart what it had accepted', async () => {
    await using system = await Standalone.start({ ...SETTINGS, LANEWISE_DEFAULT_ROUTING_STRATEGY: strategy });
    await using workers = await Workers.start(system);
    await using producer = new Producer(() => system.proxies);
    await producer.puts(300);
    await system.restart('SIGKILL');
    await producer.puts(300);
    await producer.stop();
    await workers.get(producer.accepted);
    expect(workers.repeated.length).toBeLessThanOrEqual(CONCURRENCY * 2);
  });
});
