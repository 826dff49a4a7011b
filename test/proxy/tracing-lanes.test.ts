import { SpanKind } from '@opentelemetry/api';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LanewiseError } from '../../src/core/errors.ts';
import type { JobTracer } from '../../src/runtime/tracing.ts';
import { until } from '../helpers/patience.ts';
import {
  outcomeOf,
  PARENT_ID,
  RecordedSpans,
  SAMPLED,
  TRACE_ID,
  UNSAMPLED,
} from '../helpers/recorded-spans.ts';
import { freePort } from '../helpers/ports.ts';
import { Rig, type RigOptions } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';
import { EMBEDDED, start, withEnqueue, type EnqueueRig, type EnqueueRigOptions } from './enqueue-rig.ts';

/** Spans of jobs that go through lanes: where the whole way isn't needed to see what they tell. */

describe('a request that puts jobs into a lane', () => {
  /** A proxy that consumes nothing, with a queue `jobs`. */
  async function startLanes(tracer: JobTracer, options: EnqueueRigOptions = {}): Promise<EnqueueRig> {
    return start(EMBEDDED, { queues: 'jobs: {}', ...options, tracer });
  }

  it('of a trace that its producer does not record has no span, and its context waits with the job', async () => {
    const spans = new RecordedSpans();
    const lanes = await startLanes(spans.tracer);
    const trace = { traceparent: UNSAMPLED, tracestate: 'vendor=abc' };
    await lanes.rig.send('jobs', { headers: trace });
    expect(spans.ended).toEqual([]);
    expect((await lanes.take('jobs', 'stable')).map((job) => job.trace)).toEqual([trace]);
  });

  it('is where a trace begins if it came without one', async () => {
    const spans = new RecordedSpans();
    const lanes = await startLanes(spans.tracer);
    await lanes.rig.send('jobs');
    const { traceId, spanId } = spans.only.spanContext();
    expect(spans.only).toMatchObject({ name: 'send jobs', kind: SpanKind.PRODUCER });
    expect(spans.only.parentSpanContext).toBeUndefined();
    const [job] = await lanes.take('jobs', 'stable');
    expect(job!.trace).toEqual({ traceparent: `00-${traceId}-${spanId}-01` });
  });

  it('that is not recorded here says so to whoever takes the job', async () => {
    const spans = new RecordedSpans('off');
    const lanes = await startLanes(spans.tracer);
    await lanes.rig.send('jobs');
    expect(spans.ended).toEqual([]);
    const [job] = await lanes.take('jobs', 'stable');
    expect(job!.trace!.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('ends in the error that the producer hears', async () => {
    const spans = new RecordedSpans();
    const lanes = await startLanes(
      spans.tracer,
      withEnqueue(() => () => Promise.reject(new LanewiseError('QUEUE_UNAVAILABLE', 'Redis is full'))),
    );
    const answer = await lanes.rig.send('jobs', { headers: { traceparent: SAMPLED } });
    expect(answer.status).toBe(503);
    expect(outcomeOf(spans.only)).toEqual({
      'error.type': 'QUEUE_UNAVAILABLE',
      'canary.error': 'QUEUE_UNAVAILABLE',
      failed: true,
    });
    expect(spans.only.parentSpanContext).toMatchObject({ traceId: TRACE_ID, spanId: PARENT_ID });
  });

  it('for a queue that nobody knows has no span, single or in a batch', async () => {
    const spans = new RecordedSpans();
    const lanes = await startLanes(spans.tracer);
    expect((await lanes.rig.send('made-up')).status).toBe(503);
    expect((await lanes.rig.send('made-up:batch', { body: '{"body":"x"}' })).status).toBe(503);
    expect(spans.ended).toEqual([]);
  });

  it('with a batch that is no batch has no span: there are no jobs to tell of', async () => {
    const spans = new RecordedSpans();
    const lanes = await startLanes(spans.tracer);
    expect((await lanes.rig.send('jobs:batch', { body: 'no JSON' })).status).toBe(400);
    expect(spans.ended).toEqual([]);
  });
});

describe('an attempt at a job from a lane says how it went:', () => {
  async function startRig(spans: RecordedSpans, settings: RigOptions['settings'] = {}): Promise<Rig> {
    const rig = await Rig.start({
      tracer: spans.tracer,
      settings: {
        LANEWISE_DEFAULT_ROUTING_STRATEGY: 'split_queue',
        // One attempt each, so that there is one span to look at.
        LANEWISE_QUEUES: JSON.stringify({ jobs: { max_attempts: 1 } }),
        ...settings,
      },
    });
    onTestFinished(() => rig[Symbol.asyncDispose]());
    return rig;
  }

  async function startWorker(rig: Rig, work?: Parameters<typeof TestWorker.start>[1]): Promise<TestWorker> {
    const worker = await TestWorker.start('v1', work);
    onTestFinished(() => worker.stop());
    await rig.register({ id: 's1', version: 'v1', url: worker.url });
    return worker;
  }

  const processed = (spans: RecordedSpans) => spans.ended.filter(({ name }) => name === 'process jobs');
  const reached = { 'canary.lane': 'stable', 'service.version': 'v1', 'canary.worker': 's1' };

  it('a time-out', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans, { LANEWISE_DISPATCH_TIMEOUT: '500ms' });
    await startWorker(rig, () => {});
    expect((await rig.send('jobs')).status).toBe(202);
    await until(() => processed(spans).length > 0);
    const [span] = processed(spans);
    expect(outcomeOf(span!)).toEqual({
      ...reached,
      'canary.attempt': 1,
      'error.type': 'timeout',
      failed: true,
    });
    expect(span!.status.message).toBe('no answer within 500 ms');
  });

  it('a failure, without what the worker says: that may be anything', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    await startWorker(rig, (_job, response) => response.writeHead(500).end('card 4111 1111 1111 1111'));
    await rig.send('jobs');
    await until(() => processed(spans).length > 0);
    const [span] = processed(spans);
    expect(outcomeOf(span!)).toEqual({
      ...reached,
      'canary.attempt': 1,
      'http.response.status_code': 500,
      'error.type': '500',
      failed: true,
    });
    expect(span!.status.message).toBeUndefined();
  });

  it('nobody takes connections, and it is not sent with the trace of an attempt that never was', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    const port = await freePort();
    await rig.register({ id: 's1', version: 'v1', url: `http://127.0.0.1:${port}` });
    await rig.send('jobs');
    await until(() => processed(spans).length > 0);
    expect(outcomeOf(processed(spans)[0]!)).toEqual({
      ...reached,
      'canary.attempt': 1,
      'error.type': 'unreachable',
      failed: true,
    });
    const worker = await TestWorker.start('v1', undefined, undefined, port);
    onTestFinished(() => worker.stop());
    await until(() => processed(spans).some(({ attributes }) => attributes['error.type'] === undefined));
    const done = processed(spans).at(-1)!;
    const { traceId, spanId } = done.spanContext();
    expect(worker.jobs[0]!.headers['traceparent']).toBe(`00-${traceId}-${spanId}-01`);
  });

  it('nobody is there: no attempt, no span', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    await rig.createDeployment({ strategy: 'split_queue' });
    await rig.send('jobs');
    const worker = await startWorker(rig);
    await until(() => worker.jobs.length > 0 && processed(spans).length > 0);
    expect(processed(spans)).toHaveLength(1);
    expect(outcomeOf(processed(spans)[0]!)).toMatchObject({ ...reached, failed: false });
  });

  it('the proxy has to stop', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    const worker = await startWorker(rig, () => {});
    await rig.send('jobs');
    await until(() => worker.jobs.length > 0);
    await rig.proxy.close(0);
    expect(outcomeOf(processed(spans)[0]!)).toEqual({
      ...reached,
      'canary.attempt': 1,
      'error.type': 'aborted',
      failed: true,
    });
  });

  it('of a trace that is not recorded: no span, and the worker gets its context as it came', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    const worker = await startWorker(rig);
    const trace = { traceparent: UNSAMPLED, tracestate: 'vendor=abc' };
    await rig.send('jobs', { headers: trace });
    await until(() => worker.jobs.length > 0);
    expect(worker.jobs[0]!.headers).toMatchObject(trace);
    expect(spans.ended).toEqual([]);
  });
});
