import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One worker of the demo, in a process of its own: takes a few milliseconds a job and fails at a share of them. */

export interface DemoWorkerOptions {
  /** 0 to 1. */
  readonly failing: number;
  readonly random: () => number;
  /** Is told the url once it listens. */
  readonly onListening: (url: string) => void;
}

const WORK_MS = { least: 2, spread: 6 };

export function runDemoWorker({ failing, random, onListening }: DemoWorkerOptions): void {
  const server = createServer((request, response) => {
    request.resume();
    setTimeout(
      () => {
        response.statusCode = random() < failing ? 500 : 200;
        response.end();
      },
      WORK_MS.least + WORK_MS.spread * random(),
    );
  });
  server.listen(0, '127.0.0.1', () => {
    onListening(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
}
