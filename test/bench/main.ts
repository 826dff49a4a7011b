import { benchDecisions } from './decision.ts';
import { benchDispatch } from './dispatch.ts';

/** `npm run bench`: checks that each thing works, measures it, and prints it beside its peers of the same run. */

const print = (line = ''): void => void process.stdout.write(`${line}\n`);
const thousands = (value: number): string => Math.round(value).toLocaleString('en');

print('Route decision, 100 workers a lane, 10 % canary, one core');
for (const queues of [1, 1000, 10_000]) {
  const { perSecond } = benchDecisions(queues);
  print(`  ${thousands(queues).padStart(7)} queues  ${thousands(perSecond).padStart(11)} a second`);
}

print();
print('Dispatch, 500-byte POST, 64 connections (client and workers share the machine)');
print('  proxy                  µs CPU/request  requests/s  p50 ms  p99 ms  MiB');
for (const kind of ['lanewise', 'node:http + undici'] as const) {
  const { cpuPerRequest, requests, seconds, p50, p99, memoryMiB } = await benchDispatch(kind);
  print(
    `  ${kind.padEnd(21)}  ${cpuPerRequest.toFixed(1).padStart(14)}  ${thousands(requests / seconds).padStart(10)}  ` +
      `${p50.toFixed(1).padStart(6)}  ${p99.toFixed(1).padStart(6)}  ${memoryMiB.toFixed(0).padStart(3)}`,
  );
}
