import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { registerWorker } from '../../src/client/index.ts';
import type { WorkerOrders } from './worker-process.ts';

/**
 * A worker as its owner would write it, with `lanewise/client` for its place in the registry. It notes in a file what it
 * was through with, which stays there whatever becomes of the process.
 */

const orders = JSON.parse(process.argv[2]!) as WorkerOrders;
/** Long enough that some jobs are always under way. */
const WORK_MS = 8;

let isFailing = orders.isFailing;
process.on('message', (message) => {
  isFailing = message === 'fail';
});
process.on('disconnect', () => process.exit());

const server = createServer((request, response) => {
  request.resume().once('end', () => {
    void (async () => {
      await delay(WORK_MS);
      const queue = String(request.headers['x-canary-queue']);
      const job = String(request.headers['x-job-id']);
      if (isFailing && queue === orders.failingQueue) {
        response.writeHead(500).end();
        return;
      }
      if (queue !== orders.failingQueue) {
        appendFileSync(orders.ledger, `${job} ${queue} ${process.hrtime.bigint() / 1000n}\n`);
      }
      response.end(orders.version);
    })();
  });
});
// A producer of jobs may be slow; a worker that hangs up first would be a fault of its own.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port });
  void registerWorker({
    url: orders.controlUrl,
    token: orders.token,
    heartbeatMs: 1000,
    timeoutMs: 3000,
    worker: { id: orders.id, version: orders.version, queues: [...orders.queues], url: orders.url },
  });
});
