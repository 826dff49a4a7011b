import { Agent, request } from 'undici';
import { describe, expect, it } from 'vitest';
import { until } from '../helpers/patience.ts';
import { Rig } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

/** Ten times as many producers as there is room for, each on a connection of its own. */

const LIMIT = 16;
const PRODUCERS = 10 * LIMIT;
const JOBS_EACH = 8;

interface Tally {
  served: number;
  refused: number;
  /** Answers that are neither, and no answers. */
  readonly others: string[];
}

async function rush(rig: Rig): Promise<Tally> {
  const tally: Tally = { served: 0, refused: 0, others: [] };
  const produce = async (): Promise<void> => {
    const agent = new Agent({ connections: 1 });
    for (let i = 0; i < JOBS_EACH; i++) {
      try {
        const { statusCode, headers, body } = await request(`${rig.dispatchUrl}/dispatch/jobs`, {
          dispatcher: agent,
          method: 'POST',
          body: '{"amount":1999}',
        });
        const text = await body.text();
        if (statusCode === 200) tally.served++;
        else if (
          statusCode === 503 &&
          headers['x-canary-error'] === 'PROXY_OVERLOADED' &&
          headers['retry-after'] === '1'
        )
          tally.refused++;
        else tally.others.push(`${statusCode} ${text}`);
      } catch (error) {
        tally.others.push(String(error));
      }
    }
    await agent.destroy();
  };
  await Promise.all(Array.from({ length: PRODUCERS }, produce));
  return tally;
}

class BusyWorker implements AsyncDisposable {
  underWay = 0;
  most = 0;
  readonly #worker: TestWorker;

  private constructor(worker: TestWorker) {
    this.#worker = worker;
    worker.answer = (_job, response) => {
      this.most = Math.max(this.most, ++this.underWay);
      setTimeout(() => {
        this.underWay--;
        response.end('done');
      }, 10);
    };
  }

  static async start(): Promise<BusyWorker> {
    return new BusyWorker(await TestWorker.start('v1'));
  }

  get url(): string {
    return this.#worker.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.stop();
  }
}

interface Load {
  readonly connections: number;
  readonly in_flight: number;
  readonly waiting: number;
}

async function loadOf(rig: Rig): Promise<Load> {
  const { connections, in_flight, waiting } = JSON.parse((await rig.admin('/routes')).body) as Load;
  return { connections, in_flight, waiting };
}

describe.each([
  { limit: 'max_in_flight', settings: { LANEWISE_MAX_IN_FLIGHT: String(LIMIT) }, worker: {}, most: LIMIT },
  {
    limit: 'max_connections',
    settings: { LANEWISE_MAX_CONNECTIONS: String(LIMIT) },
    worker: {},
    most: LIMIT,
  },
  {
    limit: 'max_pending',
    settings: { LANEWISE_MAX_PENDING: String(LIMIT - 4) },
    worker: { maxConcurrency: 4 },
    most: 4,
  },
])('ten times $limit', ({ settings, worker: registration, most }) => {
  it('are all answered, by the worker or with PROXY_OVERLOADED, and all is as before afterwards', async () => {
    await using rig = await Rig.start({ settings });
    await using worker = await BusyWorker.start();
    await rig.register({ id: 'w', url: worker.url, ...registration });
    for (let round = 1; round <= 2; round++) {
      const { served, refused, others } = await rush(rig);
      expect(others).toEqual([]);
      expect(served + refused).toBe(PRODUCERS * JOBS_EACH);
      expect(served).toBeGreaterThan(0);
      expect(refused).toBeGreaterThan(0);
      // What is let in is never more than there is room for, so those in the queue wait no longer than ever.
      expect(worker.most).toBeLessThanOrEqual(most);
      const errors = await rig.metric('canary_dispatch_errors_total');
      const counted = [...errors].filter(([labels]) => labels.includes('PROXY_OVERLOADED'));
      expect(counted.reduce((sum, [, value]) => sum + value, 0)).toBeGreaterThanOrEqual(refused);

      await until(async () => (await loadOf(rig)).connections === 0);
      expect(await loadOf(rig)).toEqual({ connections: 0, in_flight: 0, waiting: 0 });
      const agent = new Agent({ connections: 1 });
      for (let i = 0; i < 20; i++) {
        const { statusCode, body } = await request(`${rig.dispatchUrl}/dispatch/jobs`, {
          dispatcher: agent,
          method: 'POST',
        });
        expect([statusCode, await body.text()]).toEqual([200, 'done']);
      }
      await agent.destroy();
    }
  });
});
