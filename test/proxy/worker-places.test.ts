import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { until } from '../helpers/patience.ts';
import { Rig, type Answer } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

/** Workers that take only so many jobs at once: who finds them full waits for a place, in order, and not for ever. */

class Holder implements AsyncDisposable {
  readonly held: { readonly job: string; readonly response: ServerResponse }[] = [];
  readonly order: string[] = [];
  readonly #worker: TestWorker;

  private constructor(worker: TestWorker) {
    this.#worker = worker;
    worker.answer = ({ headers }, response) => {
      const job = String(headers['x-job-id']);
      this.order.push(job);
      this.held.push({ job, response });
    };
  }

  static async start(version = 'v1'): Promise<Holder> {
    return new Holder(await TestWorker.start(version));
  }

  get url(): string {
    return this.#worker.url;
  }

  async gets(jobs: number): Promise<void> {
    await until(() => this.order.length >= jobs);
  }

  release(): void {
    this.held.shift()!.response.end('done');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.stop();
  }
}

async function waiting(rig: Rig): Promise<number | undefined> {
  return (await rig.metric('canary_jobs_pending')).get('');
}

function send(rig: Rig, job: string, key = job): Promise<Answer> {
  return rig.send('jobs', { headers: { 'X-Job-Id': job, 'X-Canary-Sticky-Key': key } });
}

/** Sends them one after the other, each once the one before it waits. */
async function line(rig: Rig, jobs: readonly string[]): Promise<Promise<Answer>[]> {
  const answers: Promise<Answer>[] = [];
  const before = (await waiting(rig))!;
  for (const job of jobs) {
    answers.push(send(rig, job));
    await until(async () => (await waiting(rig)) === before + answers.length);
  }
  return answers;
}

describe('a worker with max_concurrency', () => {
  it('gets as many jobs at once, and the others in the order in which they came', async () => {
    await using rig = await Rig.start();
    await using worker = await Holder.start();
    await rig.register({ id: 'w', url: worker.url, maxConcurrency: 2 });
    const first = [send(rig, 'a'), send(rig, 'b')];
    await worker.gets(2);
    const later = await line(rig, ['c', 'd', 'e', 'f']);
    const { workers, waiting: all } = JSON.parse((await rig.admin('/routes')).body) as {
      waiting: number;
      workers: object[];
    };
    expect(workers).toMatchObject([{ in_flight: 2, max_concurrency: 2, waiting: 4 }]);
    expect(all).toBe(4);
    for (let done = 1; done <= 4; done++) {
      worker.release();
      await worker.gets(2 + done);
      expect(worker.held).toHaveLength(2);
    }
    worker.release();
    worker.release();
    for (const answer of await Promise.all([...first, ...later])) expect(answer.status).toBe(200);
    expect(worker.order.slice(2)).toEqual(['c', 'd', 'e', 'f']);
    expect(await waiting(rig)).toBe(0);
  });

  it('hands its jobs to the next one of its lane before any waits', async () => {
    await using rig = await Rig.start();
    await using one = await Holder.start();
    await using two = await Holder.start();
    await rig.register({ id: 'one', url: one.url, maxConcurrency: 1 });
    await rig.register({ id: 'two', url: two.url, maxConcurrency: 1 });
    const answers = [send(rig, 'a', 'the same key'), send(rig, 'b', 'the same key')];
    await Promise.all([one.gets(1), two.gets(1)]);
    answers.push(...(await line(rig, ['c', 'd'])));
    one.release();
    await one.gets(2);
    two.release();
    await two.gets(2);
    one.release();
    two.release();
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
  });

  it('keeps the jobs of its lane waiting: a full canary loads neither stable nor hides from the judge', async () => {
    await using rig = await Rig.start();
    await using stable = await Holder.start('v1');
    await using canary = await Holder.start('v2');
    await rig.register({ id: 'stable', url: stable.url, version: 'v1' });
    await rig.register({ id: 'canary', url: canary.url, version: 'v2', maxConcurrency: 1 });
    await rig.setPercentage(await rig.createDeployment(), 100);
    const first = send(rig, 'a');
    await canary.gets(1);
    const [second] = await line(rig, ['b']);
    canary.release();
    await canary.gets(2);
    canary.release();
    for (const { headers } of [await first, await second!]) expect(headers['x-canary-lane']).toBe('canary');
    expect(stable.order).toEqual([]);
  });
});

describe('a dispatch that waits for a place', () => {
  it('is answered WORKER_TIMEOUT when its time is over', async () => {
    await using rig = await Rig.start({ settings: { LANEWISE_DISPATCH_TIMEOUT: '400ms' } });
    await using worker = await Holder.start();
    await rig.register({ id: 'w', url: worker.url, maxConcurrency: 1 });
    const first = send(rig, 'a');
    await worker.gets(1);
    const answer = await send(rig, 'b');
    expect(answer).toMatchObject({ status: 504, headers: { 'x-canary-error': 'WORKER_TIMEOUT' } });
    expect(['No answer', 'No place'].some((words) => answer.body.includes(words))).toBe(true);
    expect((await first).status).toBe(504);
    expect(await waiting(rig)).toBe(0);
  });

  it('is refused at once with PROXY_OVERLOADED where max_pending wait already', async () => {
    await using rig = await Rig.start({ settings: { LANEWISE_MAX_PENDING: '2' } });
    await using worker = await Holder.start();
    await rig.register({ id: 'w', url: worker.url, maxConcurrency: 1 });
    const answers = [send(rig, 'a')];
    await worker.gets(1);
    answers.push(...(await line(rig, ['b', 'c'])));
    const refused = await send(rig, 'd');
    expect(refused).toMatchObject({
      status: 503,
      headers: { 'x-canary-error': 'PROXY_OVERLOADED', 'retry-after': '1' },
    });
    for (let done = 1; done <= 3; done++) {
      await worker.gets(done);
      worker.release();
    }
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
  });

  it('leaves the line when its producer goes away', async () => {
    await using rig = await Rig.start();
    await using worker = await Holder.start();
    await rig.register({ id: 'w', url: worker.url, maxConcurrency: 1 });
    const first = send(rig, 'a');
    await worker.gets(1);
    const gone = new AbortController();
    const impatient = fetch(`${rig.dispatchUrl}/dispatch/jobs`, { method: 'POST', signal: gone.signal });
    impatient.catch(() => undefined);
    await until(async () => (await waiting(rig)) === 1);
    gone.abort();
    await until(async () => (await waiting(rig)) === 0);
    const next = send(rig, 'b');
    worker.release();
    await worker.gets(2);
    worker.release();
    expect([(await first).status, (await next).status]).toEqual([200, 200]);
    expect(worker.order).toEqual(['a', 'b']);
  });

  it('goes to a worker that joins meanwhile, or to stable after a roll-back', async () => {
    await using rig = await Rig.start();
    await using stable = await Holder.start('v1');
    await using canary = await Holder.start('v2');
    await using more = await Holder.start('v2');
    await rig.register({ id: 'stable', url: stable.url, version: 'v1' });
    await rig.register({ id: 'canary', url: canary.url, version: 'v2', maxConcurrency: 1 });
    const deployment = await rig.setPercentage(await rig.createDeployment(), 100);
    const answers = [send(rig, 'a')];
    await canary.gets(1);
    answers.push(...(await line(rig, ['b'])));
    await rig.register({ id: 'more', url: more.url, version: 'v2', maxConcurrency: 1 });
    await more.gets(1);
    answers.push(...(await line(rig, ['c'])));
    await rig.rollBack(deployment);
    await stable.gets(1);
    for (const worker of [canary, more, stable]) worker.release();
    const versions = (await Promise.all(answers)).map(({ headers }) => headers['x-canary-version']);
    expect(versions).toEqual(['v2', 'v2', 'v1']);
  });
});
