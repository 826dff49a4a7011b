import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Queue, Worker, type Job } from 'bullmq';
import { Pool } from 'undici';
import { answerQuestions } from '../part-process.ts';
import { JobLog } from './job-log.ts';
import { CONCURRENCY, QUEUE } from './job.ts';

/** BullMQ: its worker, with a processor that does nothing or one that makes the call that a proxy makes, or its queue behind HTTP. */

export interface BullmqWorkerStart {
  readonly port: number;
  /** Of the workers; absent: the processor does nothing. */
  readonly url?: string;
}

const log = new JobLog();

type Processor = (job: Job<{ readonly body: string }>) => Promise<void>;

const empty: Processor = async (job) => {
  log.note(job.id!, job.data.body, log.now());
};

function calling(url: string): Processor {
  const pool = new Pool(url, { connections: CONCURRENCY, pipelining: 1 });
  return async (job) => {
    const answer = await pool.request({
      method: 'POST',
      path: '/',
      headers: { 'x-job-id': job.id!, 'content-type': 'application/json' },
      body: job.data.body,
    });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
  };
}

answerQuestions({
  async work({ port, url }: BullmqWorkerStart) {
    const connection = { host: '127.0.0.1', port };
    const processor = url === undefined ? empty : calling(url);
    const worker = new Worker(QUEUE, processor, { connection, concurrency: CONCURRENCY });
    await worker.waitUntilReady();
  },
  /** The least that makes a queue reachable over HTTP. */
  async serve(port: number) {
    const queue = new Queue(QUEUE, { connection: { host: '127.0.0.1', port } });
    await queue.waitUntilReady();
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      const add = async (): Promise<void> => {
        const id = String(request.headers['x-job-id']);
        const body = Buffer.concat(chunks).toString();
        await queue.add('job', { body }, { jobId: id, removeOnComplete: true });
        response.writeHead(202, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ job_id: id, queue: QUEUE }));
      };
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => void add());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
  reset: () => log.reset(),
  done: (count: number) => log.done(count),
  latencies: () => log.latencies,
});
