import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONSUMER, OtlpReceiver, PRODUCER, type ReceivedSpan } from '../helpers/otlp-receiver.ts';
import { until } from '../helpers/patience.ts';
import { Fleet, Standalone, type System } from '../helpers/system.ts';
import { TestWorker, type ReceivedJob } from '../helpers/worker.ts';

/** One trace from the producer through the proxy to the worker, in real processes, as a receiver of OTLP gets it. */

const STRATEGIES = ['hash_ring', 'split_queue', 'stream_group'] as const;
const LANE_STRATEGIES = ['split_queue', 'stream_group'] as const;
/** A queue of each strategy, called after it. */
const SETTINGS = {
  LANEWISE_QUEUES: JSON.stringify(
    Object.fromEntries(
      STRATEGIES.map((strategy) => [
        strategy,
        { routing_strategy: strategy, retry_delay: '10ms', retry_delay_max: '20ms' },
      ]),
    ),
  ),
};

let traces = 0;

/** What a producer sends that records its trace. */
function aTrace(): { readonly traceId: string; readonly spanId: string; readonly traceparent: string } {
  const traceId = (++traces).toString(16).padStart(32, 'a');
  const spanId = '00f067aa0ba902b7';
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
}

function isOf(job: ReceivedJob, jobId: string): boolean {
  return job.headers['x-job-id'] === jobId;
}

describe.each(['embedded', 'Redis'] as const)('over the %s store', (store) => {
  const stack = new AsyncDisposableStack();
  let receiver: OtlpReceiver;
  let system: System;
  let worker: TestWorker;
  const deployments = new Map<string, string>();

  beforeAll(async () => {
    receiver = stack.use(await OtlpReceiver.start());
    const environment = { ...SETTINGS, ...receiver.environment };
    system = stack.use(
      store === 'Redis' ? await Fleet.start(1, environment) : await Standalone.start(environment),
    );
    worker = stack.use(await TestWorker.start('v2'));
    await system.api.done('POST', '/workers', {
      id: 'canary-1',
      version: 'v2',
      lane: 'canary',
      url: worker.url,
      queues: STRATEGIES,
    });
    for (const strategy of STRATEGIES) {
      const id = await system.api.createDeployment('v1', 'v2', {
        queue_name: strategy,
        routing_strategy: strategy,
        initial_percentage: 100,
      });
      deployments.set(strategy, id);
    }
    await until(async () => {
      const { queues, workers } = await system.proxies[0]!.routes();
      return workers.length === 1 && queues.filter(({ percentage }) => percentage === 100).length === 3;
    });
  });
  afterAll(() => stack.disposeAsync());

  /** Resolves when the spans of that many attempts at a job are here; oldest first. */
  async function attemptsAt(jobId: string, count: number): Promise<readonly ReceivedSpan[]> {
    const ofJob = (): readonly ReceivedSpan[] =>
      receiver.spans
        .filter(
          ({ name, attributes }) =>
            name.startsWith('process') && attributes['messaging.message.id'] === jobId,
        )
        .toSorted((a, b) => Number(a.attributes['canary.attempt']) - Number(b.attributes['canary.attempt']));
    await until(() => ofJob().length >= count);
    return ofJob();
  }

  async function sendSpanOf(jobId: string, queue: string): Promise<ReceivedSpan> {
    const find = (): ReceivedSpan | undefined =>
      receiver.sent(queue).find(({ attributes }) => attributes['messaging.message.id'] === jobId);
    await until(() => find() !== undefined);
    return find()!;
  }

  /** What a span of a job on the canary says, whichever strategy brought it there. */
  function onCanary(queue: string, jobId: string): object {
    return {
      'messaging.system': 'lanewise',
      'messaging.destination.name': queue,
      'messaging.operation.name': 'process',
      'messaging.message.id': jobId,
      'service.version': 'v2',
      'canary.lane': 'canary',
      'canary.worker': 'canary-1',
      'canary.deployment': deployments.get(queue),
      'canary.attempt': 1,
      'http.response.status_code': 200,
    };
  }

  it('hash_ring: producer → process → worker', async () => {
    const { traceId, spanId, traceparent } = aTrace();
    const { status } = await system.proxies[0]!.send(
      { traceparent, tracestate: 'vendor=abc', 'x-job-id': 'direct' },
      'hash_ring',
    );
    expect(status).toBe(200);
    const [span, ...others] = await attemptsAt('direct', 1);
    expect(others).toEqual([]);
    expect(span).toMatchObject({ traceId, parentSpanId: spanId, kind: CONSUMER, links: [], failed: false });
    expect(span!.attributes).toMatchObject(onCanary('hash_ring', 'direct'));
    // Of Lanewise, whose version is not the worker's.
    expect(span!.resource).toMatchObject({
      'service.name': store === 'Redis' ? 'lanewise-proxy' : 'lanewise',
      'service.version': expect.stringMatching(/^\d+\.\d+\.\d+/) as unknown,
      'service.instance.id': expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
    });
    expect(worker.jobs.find((job) => isOf(job, 'direct'))!.headers).toMatchObject({
      traceparent: `00-${traceId}-${span!.spanId}-01`,
      tracestate: 'vendor=abc',
    });
  });

  it.each(LANE_STRATEGIES)('%s: producer → send → process → worker', async (queue) => {
    const { traceId, spanId, traceparent } = aTrace();
    const jobId = `${queue}-job`;
    const headers = { traceparent, tracestate: 'vendor=abc', 'x-job-id': jobId };
    expect((await system.proxies[0]!.send(headers, queue)).status).toBe(202);
    const [process, ...others] = await attemptsAt(jobId, 1);
    expect(others).toEqual([]);
    const send = await sendSpanOf(jobId, queue);
    expect(send).toMatchObject({ traceId, parentSpanId: spanId, kind: PRODUCER, links: [], failed: false });
    expect(send.attributes).toEqual({
      'messaging.system': 'lanewise',
      'messaging.destination.name': queue,
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.message.id': jobId,
      'service.version': 'v2',
      'canary.lane': 'canary',
      'canary.version': 'v2',
      'canary.deployment': deployments.get(queue),
    });
    expect(process).toMatchObject({
      traceId,
      parentSpanId: send.spanId,
      kind: CONSUMER,
      links: [{ traceId, spanId: send.spanId }],
      failed: false,
    });
    expect(process!.attributes).toMatchObject(onCanary(queue, jobId));
    expect(worker.jobs.find((job) => isOf(job, jobId))!.headers).toMatchObject({
      traceparent: `00-${traceId}-${process!.spanId}-01`,
      tracestate: 'vendor=abc',
    });
  });

  it.each(LANE_STRATEGIES)(
    '%s: every attempt is a span of its own, under the one that sent the job',
    async (queue) => {
      const { traceId, traceparent } = aTrace();
      const jobId = `${queue}-retried`;
      worker.answer = (job, response) =>
        response.writeHead(isOf(job, jobId) && job.headers['x-canary-attempt'] !== '3' ? 500 : 200).end();
      await system.proxies[0]!.send({ traceparent, 'x-job-id': jobId }, queue);
      const attempts = await attemptsAt(jobId, 3);
      const send = await sendSpanOf(jobId, queue);
      expect(
        attempts.map(({ attributes, failed, parentSpanId, links }) => ({
          attempt: attributes['canary.attempt'],
          error: attributes['error.type'],
          failed,
          parentSpanId,
          links,
        })),
      ).toEqual(
        [1, 2, 3].map((attempt) => ({
          attempt,
          error: attempt < 3 ? '500' : undefined,
          failed: attempt < 3,
          parentSpanId: send.spanId,
          links: [{ traceId, spanId: send.spanId }],
        })),
      );
      const seen = worker.jobs.filter((job) => isOf(job, jobId)).map(({ headers }) => headers['traceparent']);
      expect(seen).toEqual(attempts.map(({ spanId }) => `00-${traceId}-${spanId}-01`));
    },
  );

  it.each(LANE_STRATEGIES)('%s: a batch is one send for all that came with its trace', async (queue) => {
    const [ofBatch, ofLine] = [aTrace(), aTrace()];
    const [first, second, own] = ['1', '2', 'own'].map((name) => `${queue}-${name}`);
    const lines = [
      { id: first, body: '{}' },
      { id: second, body: '{}' },
      { id: own, body: '{}', headers: { traceparent: ofLine.traceparent } },
    ];
    const answer = await request(`${system.proxies[0]!.dispatchUrl}/dispatch/${queue}:batch`, {
      method: 'POST',
      headers: { traceparent: ofBatch.traceparent },
      body: lines.map((line) => JSON.stringify(line)).join('\n'),
    });
    await answer.body.dump();
    expect(answer.statusCode).toBe(202);

    const processed = await Promise.all([first!, second!, own!].map((id) => attemptsAt(id, 1)));
    const ownSend = await sendSpanOf(own!, queue);
    const findBatch = (): ReceivedSpan | undefined =>
      receiver.sent(queue).find(({ traceId }) => traceId === ofBatch.traceId);
    await until(() => findBatch() !== undefined);
    const batchSend = findBatch()!;
    expect(batchSend.parentSpanId).toBe(ofBatch.spanId);
    expect(batchSend.attributes).toMatchObject({ 'messaging.batch.message_count': 2 });
    expect(ownSend).toMatchObject({ traceId: ofLine.traceId, parentSpanId: ofLine.spanId });
    expect(processed.flat().map(({ traceId, parentSpanId }) => [traceId, parentSpanId])).toEqual([
      [ofBatch.traceId, batchSend.spanId],
      [ofBatch.traceId, batchSend.spanId],
      [ofLine.traceId, ownSend.spanId],
    ]);
  });
});
