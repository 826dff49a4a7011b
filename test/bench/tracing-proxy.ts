import { setTimeout as delay } from 'node:timers/promises';
import { traceContextOf, withTrace } from '../../proxy/trace-headers.ts';
import { createLog } from '../../src/runtime/log.ts';
import { openExporting } from '../../src/runtime/otel/exporting.ts';
import { readExportSettings } from '../../src/runtime/otel/settings.ts';
import type { JobTracer } from '../../src/runtime/tracing.ts';
import { Rig } from '../helpers/rig.ts';

/**
 * The proxy that `tracing.ts` measures: `tracing-proxy.ts <worker's url> [traceparent]`, with OpenTelemetry's variables
 * set or not. Asked by a message, it says what it has used of the CPU, or what its tracer takes by itself.
 */

export type Question = 'cpu' | { readonly spansOf: number; readonly isRecorded: boolean };

const [workerUrl = '', traceparent] = process.argv.slice(2);

const { settings } = readExportSettings(process.env);
const log = createLog('silent');
const exporting =
  settings && (await openExporting({ settings, serviceName: 'lanewise-proxy', version: '0', log }));
const rig = await Rig.start(exporting?.tracer && { tracer: exporting.tracer });
await exporting?.exportMetrics({ proxy: rig.proxy.metrics });
await rig.register({ id: 'stable', version: 'v1', url: workerUrl });
await rig.register({ id: 'canary', version: 'v2', url: workerUrl, lane: 'canary' });
await rig.setPercentage(await rig.createDeployment(), 10);

/** Microseconds so far, of all threads. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** What a dispatch does for its span, and nothing else of it. */
function traceOne(tracer: JobTracer, headers: readonly string[], i: number): void {
  const trace = traceContextOf(headers);
  const span = tracer.process({ queue: 'jobs', jobId: `job-${i}`, trace, isQueued: false });
  if (span === undefined) return;
  withTrace(headers, span.trace);
  span.end({
    lane: 'stable',
    version: 'v1',
    worker: 'stable',
    fallback: false,
    attempt: 1,
    deploymentId: 'canary_0',
    status: 200,
  });
}

const PORTION = 500;
const PAUSE_MS = 20;

/** Microseconds a job, with the export of what is recorded, which takes time in between. */
async function alone(jobs: number, isRecorded: boolean): Promise<number> {
  const headers = ['Host', 'localhost', 'Content-Length', '500', 'X-Canary-Sticky-Key', 'customer-1'];
  if (traceparent !== undefined) headers.push('traceparent', traceparent);
  const before = cpu();
  const began = performance.now();
  for (let done = 0; done < jobs; done += PORTION) {
    for (let i = 0; i < PORTION; i++) traceOne(exporting!.tracer!, headers, i);
    if (isRecorded) await delay(PAUSE_MS);
  }
  if (!isRecorded) return (cpu() - before) / jobs;
  await delay(1000);
  const used = cpu() - before;
  const elapsed = performance.now() - began;
  // The rest of the process lives on meanwhile.
  const idle = cpu();
  await delay(elapsed);
  return (used - (cpu() - idle)) / jobs;
}

// It goes with the bench, however that goes.
process.once('disconnect', () => process.exit());
process.on('message', (question: Question) => {
  if (question === 'cpu') process.send!(cpu());
  else void alone(question.spansOf, question.isRecorded).then((cost) => process.send!(cost));
});
process.send!(rig.dispatchUrl);
