import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerQuestions } from '../part-process.ts';
import { JobLog } from './job-log.ts';

/** The workers of both lanes, which do nothing but read a job, note its id, and answer. */

const log = new JobLog();

export interface WorkerUrls {
  readonly stable: string;
  readonly canary: string;
}

async function listen(): Promise<string> {
  const server = createServer((request, response) => {
    const arrivedAt = log.now();
    readAll(request, (body) => {
      log.note(String(request.headers['x-job-id']), body, arrivedAt);
      response.end('ok');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function readAll(request: IncomingMessage, done: (body: string) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => done(Buffer.concat(chunks).toString()));
}

answerQuestions({
  listen: async (): Promise<WorkerUrls> => ({ stable: await listen(), canary: await listen() }),
  reset: () => log.reset(),
  done: (count: number) => log.done(count),
  latencies: () => log.latencies,
});
