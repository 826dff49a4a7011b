import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Pool } from 'undici';
import { answerQuestions } from '../part-process.ts';
import { BATCH_JOBS, CONCURRENCY, jobBody, jobId, QUEUE, sharedNow } from './job.ts';

/** Producers: of single jobs and of batches, over HTTP or through BullMQ's own `Queue`. */

export type Target =
  | { readonly kind: 'lanewise'; readonly url: string }
  /** With a url, single jobs go there; batches go to Redis, since nothing stands before it that takes them. */
  | { readonly kind: 'bullmq'; readonly port: number; readonly url?: string };

export interface Order {
  readonly target: Target;
  /** Number of the first job. */
  readonly from: number;
  readonly count: number;
}

interface Producer {
  readonly one: (number: number) => Promise<void>;
  readonly batch: (from: number, count: number) => Promise<void>;
}

/** Batches on the way at once. */
const BATCHES = 4;

type Post = (path: string, headers: Record<string, string>, body: string) => Promise<string>;

function posting(pool: Pool): Post {
  return async (path, headers, body) => {
    const answer = await pool.request({ method: 'POST', path, headers, body });
    const text = await answer.body.text();
    if (answer.statusCode !== 202) throw new Error(`answered ${answer.statusCode}: ${text}`);
    return text;
  };
}

async function postOne(post: Post, number: number): Promise<void> {
  const headers = { 'x-job-id': jobId(number), 'content-type': 'application/json' };
  await post(`/dispatch/${QUEUE}`, headers, jobBody(sharedNow()));
}

function toLanewise(url: string): Producer {
  const post = posting(new Pool(url, { connections: CONCURRENCY, pipelining: 1 }));
  return {
    one: (number) => postOne(post, number),
    async batch(from, count) {
      const lines = Array.from({ length: count }, (_, i) =>
        JSON.stringify({
          id: jobId(from + i),
          headers: { 'content-type': 'application/json' },
          body: jobBody(sharedNow()),
        }),
      );
      const answer = await post(`/dispatch/${QUEUE}:batch`, {}, lines.join('\n'));
      const { jobs } = JSON.parse(answer) as { readonly jobs: readonly unknown[] };
      if (jobs.length !== count) throw new Error(`${jobs.length} of ${count} were stored`);
    },
  };
}

function toBullmq(port: number, url: string | undefined): Producer {
  const post =
    url === undefined ? undefined : posting(new Pool(url, { connections: CONCURRENCY, pipelining: 1 }));
  const queue = new Queue(QUEUE, { connection: { host: '127.0.0.1', port } });
  const jobOf = (number: number) => ({
    name: 'job',
    data: { body: jobBody(sharedNow()) },
    opts: { jobId: jobId(number), removeOnComplete: true },
  });
  return {
    async one(number) {
      if (post !== undefined) return postOne(post, number);
      const { name, data, opts } = jobOf(number);
      await queue.add(name, data, opts);
    },
    async batch(from, count) {
      await queue.addBulk(Array.from({ length: count }, (_, i) => jobOf(from + i)));
    },
  };
}

let producer: Producer | undefined;

function producerFor(target: Target): Producer {
  producer ??= target.kind === 'lanewise' ? toLanewise(target.url) : toBullmq(target.port, target.url);
  return producer;
}

/** @returns seconds */
async function inParallel(
  width: number,
  steps: number,
  work: (step: number) => Promise<void>,
): Promise<number> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < steps) await work(next++);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: width }, lane));
  return (performance.now() - start) / 1000;
}

answerQuestions({
  single({ target, from, count }: Order) {
    const { one } = producerFor(target);
    return inParallel(CONCURRENCY, count, (step) => one(from + step));
  },
  batches({ target, from, count }: Order) {
    const { batch } = producerFor(target);
    return inParallel(BATCHES, count / BATCH_JOBS, (step) => batch(from + step * BATCH_JOBS, BATCH_JOBS));
  },
  /** One at a time, with a pause after each. */
  async slowly({ target, from, count }: Order) {
    const { one } = producerFor(target);
    for (let i = 0; i < count; i++) {
      await one(from + i);
      await delay(10 + 10 * Math.random());
    }
  },
});
