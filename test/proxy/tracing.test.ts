import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { SpanKind } from '@opentelemetry/api';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { AddressInfo } from 'node:net';
import { deploymentOf } from '../core/fixtures.ts';
import { PATIENCE, until } from '../helpers/patience.ts';
import {
  outcomeOf,
  PARENT_ID,
  RecordedSpans,
  SAMPLED,
  TRACE_ID,
  UNSAMPLED,
} from '../helpers/recorded-spans.ts';
import { freePort } from '../helpers/ports.ts';
import { Rig } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

/** What the spans of hash_ring dispatches tell, and what becomes of the trace context that a job came with. */

type Work = NonNullable<Parameters<typeof TestWorker.start>[1]>;

async function startRig(spans: RecordedSpans, settings: Readonly<Record<string, string>> = {}): Promise<Rig> {
  const rig = await Rig.start({ tracer: spans.tracer, settings });
  onTestFinished(() => rig[Symbol.asyncDispose]());
  return rig;
}

async function startWorker(rig: Rig, id: string, version: string, work?: Work): Promise<TestWorker> {
  const worker = await TestWorker.start(version, work);
  onTestFinished(() => worker.stop());
  await rig.register({ id, version, url: worker.url, lane: version === 'v1' ? 'stable' : 'canary' });
  return worker;
}

const failing: Work = (_job, response) => response.writeHead(500).end('no');
const silent: Work = () => {};

describe('a job that is dispatched', () => {
  it('is a span of its own in the trace of its producer, and the worker goes on with that span', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    const worker = await startWorker(rig, 'c1', 'v2');
    const deployment = await rig.createDeployment({ currentPercent: 100 });
    await rig.send('jobs', {
      headers: { traceparent: SAMPLED, tracestate: 'vendor=abc', 'x-job-id': 'order-1' },
    });

    const { name, kind, links, attributes, parentSpanContext } = spans.only;
    expect({ name, kind, links }).toEqual({ name: 'process jobs', kind: SpanKind.CONSUMER, links: [] });
    expect(parentSpanContext).toMatchObject({ traceId: TRACE_ID, spanId: PARENT_ID });
    expect(attributes).toEqual({
      'messaging.system': 'lanewise',
      'messaging.destination.name': 'jobs',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.message.id': 'order-1',
      'service.version': 'v2',
      'canary.lane': 'canary',
      'canary.version': 'v2',
      'canary.worker': 'c1',
      'canary.deployment': deployment.id,
      'canary.fallback': false,
      'canary.attempt': 1,
      'http.response.status_code': 200,
    });
    expect(worker.jobs[0]!.headers).toMatchObject({
      traceparent: `00-${TRACE_ID}-${spans.only.spanContext().spanId}-01`,
      tracestate: 'vendor=abc',
    });
  });

  it.each([
    ['none', []],
    ['one that is none', ['traceparent', 'garbage', 'tracestate', 'vendor=abc']],
    ['two of them', ['traceparent', SAMPLED, 'traceparent', SAMPLED]],
  ])('begins a trace if it came with %s', async (_name, trace) => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    const worker = await startWorker(rig, 's1', 'v1');
    await rig.createDeployment();
    await sendRaw(rig, trace);
    const { traceId, spanId } = spans.only.spanContext();
    expect(spans.only.parentSpanContext).toBeUndefined();
    expect(traceId).not.toBe(TRACE_ID);
    expect(tracesOf(worker)).toEqual([['traceparent', `00-${traceId}-${spanId}-01`]]);
  });

  it('of a trace that its producer does not record has no span, and what it came with goes on bit by bit', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    const worker = await startWorker(rig, 's1', 'v1');
    await rig.createDeployment();
    await sendRaw(rig, ['TraceParent', UNSAMPLED, 'tracestate', 'a=1', 'tracestate', 'b=2']);
    expect(spans.ended).toEqual([]);
    expect(tracesOf(worker)).toEqual([
      ['TraceParent', UNSAMPLED],
      ['tracestate', 'a=1'],
      ['tracestate', 'b=2'],
    ]);
  });

  it('that is not recorded here tells the worker so', async () => {
    const spans = new RecordedSpans('off');
    const rig = await startRig(spans);
    const worker = await startWorker(rig, 's1', 'v1');
    await rig.createDeployment();
    await sendRaw(rig, []);
    expect(spans.ended).toEqual([]);
    expect(worker.jobs[0]!.headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('is recorded whatever its producer does if the sampler does not ask it', async () => {
    const spans = new RecordedSpans('on', false);
    const rig = await startRig(spans);
    await startWorker(rig, 's1', 'v1');
    await rig.createDeployment();
    await sendRaw(rig, ['traceparent', UNSAMPLED]);
    expect(spans.only.parentSpanContext).toMatchObject({ spanId: PARENT_ID });
  });

  it('passes as it came where nothing is traced', async () => {
    const rig = await Rig.start();
    onTestFinished(() => rig[Symbol.asyncDispose]());
    const worker = await startWorker(rig, 's1', 'v1');
    await rig.createDeployment();
    await sendRaw(rig, ['traceparent', 'garbage', 'traceparent', SAMPLED]);
    expect(tracesOf(worker)).toEqual([
      ['traceparent', 'garbage'],
      ['traceparent', SAMPLED],
    ]);
  });

  it('for a queue that nobody knows has no span: its name is whatever a producer writes', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    await rig.send('made-up');
    expect((await rig.send('made-up')).status).toBe(503);
    expect(spans.ended).toEqual([]);
  });
});

describe('its span says how it went:', () => {
  interface Case {
    readonly settings?: Readonly<Record<string, string>>;
    readonly work?: Work;
    readonly outcome: object;
    readonly message?: string | RegExp;
  }
  const reached = { 'canary.lane': 'stable', 'service.version': 'v1', 'canary.worker': 's1' };
  const CASES: Readonly<Record<string, Case>> = {
    success: { outcome: { ...reached, 'http.response.status_code': 200, failed: false } },
    'a failure': {
      work: failing,
      outcome: { ...reached, 'http.response.status_code': 500, 'error.type': '500', failed: true },
    },
    'a refusal': {
      work: (_job, response) => response.writeHead(429, { 'Retry-After': '1' }).end(),
      outcome: { ...reached, 'http.response.status_code': 429, 'error.type': '429', failed: true },
    },
    'a worker that breaks off': {
      work: (_job, response) => void response.socket!.destroy(),
      outcome: { ...reached, 'error.type': 'failure', 'canary.error': 'WORKER_FAILED', failed: true },
      message: /s1/,
    },
    'a worker that breaks off in the middle of its answer': {
      work: (_job, response) => {
        response.writeHead(200, { 'Content-Length': '10' }).write('half');
        setImmediate(() => response.socket!.destroy());
      },
      outcome: {
        ...reached,
        'http.response.status_code': 200,
        'error.type': 'failure',
        'canary.error': 'WORKER_FAILED',
        failed: true,
      },
      message: /s1/,
    },
    'a time-out': {
      settings: { LANEWISE_DISPATCH_TIMEOUT: '100ms' },
      work: silent,
      outcome: { ...reached, 'error.type': 'timeout', 'canary.error': 'WORKER_TIMEOUT', failed: true },
      message: /100 ms/,
    },
  };

  it.each(Object.entries(CASES))('%s', async (_name, { settings, work, outcome, message }) => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans, settings);
    await startWorker(rig, 's1', 'v1', work);
    await rig.createDeployment();
    await rig.send('jobs').catch(() => {});
    await until(() => spans.ended.length > 0);
    expect(outcomeOf(spans.only)).toEqual({ ...outcome, 'canary.attempt': 1 });
    if (message === undefined) expect(spans.only.status.message).toBeUndefined();
    else expect(spans.only.status.message).toMatch(message);
  });

  it('nobody takes connections', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    await rig.register({ id: 's1', version: 'v1', url: `http://127.0.0.1:${await freePort()}` });
    await rig.createDeployment();
    expect((await rig.send()).status).toBe(503);
    expect(outcomeOf(spans.only)).toEqual({
      ...reached,
      'canary.attempt': 1,
      'error.type': 'unreachable',
      'canary.error': 'WORKER_UNREACHABLE',
      failed: true,
    });
  });

  it('nobody is there', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    await rig.createDeployment();
    expect((await rig.send()).status).toBe(503);
    expect(outcomeOf(spans.only)).toEqual({
      'canary.attempt': 1,
      'error.type': 'unreachable',
      'canary.error': 'NO_WORKER_AVAILABLE',
      failed: true,
    });
  });

  it('the producer goes away', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    const worker = await startWorker(rig, 's1', 'v1', silent);
    await rig.createDeployment();
    const producer = httpRequest(`${rig.dispatchUrl}/dispatch/jobs`, { method: 'POST' });
    producer.on('error', () => {});
    producer.end('{}');
    await until(() => worker.jobs.length > 0);
    producer.destroy();
    await until(() => spans.ended.length > 0);
    expect(outcomeOf(spans.only)).toEqual({
      ...reached,
      'canary.attempt': 1,
      'error.type': 'aborted',
      failed: true,
    });
  });

  it('a canary without workers: stable did it, as a fallback', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    await startWorker(rig, 's1', 'v1');
    await rig.createDeployment({ currentPercent: 100 });
    await rig.send();
    expect(spans.only.attributes).toMatchObject({ 'canary.lane': 'stable', 'canary.fallback': true });
  });

  it('tried again on stable: one span, with what the canary made of it as an event', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    const stable = await startWorker(rig, 's1', 'v1');
    const canary = await startWorker(rig, 'c1', 'v2', failing);
    const config = { ...deploymentOf().config, retryOnStable: true };
    await rig.createDeployment({ currentPercent: 100, config });
    expect((await rig.send('jobs', { headers: { traceparent: SAMPLED }, body: '{}' })).status).toBe(200);

    const { events } = spans.only;
    expect(outcomeOf(spans.only)).toEqual({
      ...reached,
      'canary.attempt': 2,
      'http.response.status_code': 200,
      failed: false,
    });
    expect(events.map(({ name, attributes }) => ({ name, attributes }))).toEqual([
      {
        name: 'canary.attempt',
        attributes: expect.objectContaining({
          'canary.lane': 'canary',
          'service.version': 'v2',
          'canary.worker': 'c1',
          'canary.attempt': 1,
          'http.response.status_code': 500,
          'error.type': '500',
        }) as object,
      },
    ]);
    const seen = [canary, stable].map(({ jobs }) => jobs[0]!.headers['traceparent']);
    expect(new Set(seen)).toEqual(new Set([`00-${TRACE_ID}-${spans.only.spanContext().spanId}-01`]));
  });

  it('a WebSocket is a job that has gone well once it is open', async () => {
    const spans = new RecordedSpans();
    const rig = await startRig(spans);
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    onTestFinished(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await rig.register({ id: 's1', version: 'v1', url });
    const socket = new WebSocket(`${rig.dispatchUrl.replace('http', 'ws')}/dispatch/jobs`);
    onTestFinished(() => socket.terminate());
    await once(socket, 'open');
    await until(() => spans.ended.length > 0);
    socket.terminate();
    await vi.waitUntil(() => server.clients.size === 0, PATIENCE);
    expect(outcomeOf(spans.only)).toMatchObject({ ...reached, failed: false });
  });
});

/** Header by header, as written. */
async function sendRaw(rig: Rig, headers: readonly string[]): Promise<void> {
  const url = new URL(rig.dispatchUrl);
  const request = httpRequest({
    host: url.hostname,
    port: url.port,
    path: '/dispatch/jobs',
    method: 'POST',
    headers: ['Host', url.host, 'Content-Length', '0', ...headers],
  });
  request.end();
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
  response.resume();
  await once(response, 'end');
}

function tracesOf(worker: TestWorker): readonly (readonly string[])[] {
  const { rawHeaders } = worker.jobs[0]!;
  return rawHeaders
    .flatMap((name, i) => (i % 2 === 0 ? [[name, rawHeaders[i + 1]!]] : []))
    .filter(([name]) => /^trace/i.test(name!));
}
