import { once } from 'node:events';
import { request as httpRequest, type ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { addLanes, createLanesTotals, jobCount, type LanesTotals } from '../../src/core/lane-totals.ts';
import type { Deployment } from '../../src/core/deployment.ts';
import { OUTCOME_INDEX, type Outcome } from '../../src/core/outcome.ts';
import { deploymentOf } from '../core/fixtures.ts';
import { freePort } from '../helpers/ports.ts';
import { Rig, type Answer, type Send } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';
import { until } from '../helpers/patience.ts';

type Work = NonNullable<Parameters<typeof TestWorker.start>[1]>;

/** A canary that gets every job, and a stable worker beside it. */
interface Scene {
  readonly rig: Rig;
  readonly canary: TestWorker;
  readonly stable: TestWorker;
  readonly deployment: Deployment;
  /** Stops the proxy; what the judge heard until then. */
  judged(): Promise<LanesTotals>;
}

interface SceneOptions {
  readonly canary?: Work;
  readonly stable?: Work;
  readonly settings?: Readonly<Record<string, string>>;
  readonly retryOnStable?: boolean;
  readonly percentage?: number;
  /** Where the stable worker is registered; null: nowhere. */
  readonly stableUrl?: string | null;
}

const failing: Work = (_job, response) => response.writeHead(500, { 'X-From': 'v2' }).end('canary failed');

async function startScene({
  canary: canaryWork = failing,
  stable: stableWork = (_job, response) => response.end('stable did it'),
  settings = {},
  retryOnStable = true,
  percentage = 100,
  stableUrl,
}: SceneOptions = {}): Promise<Scene> {
  const rig = await Rig.start({ settings });
  onTestFinished(() => rig[Symbol.asyncDispose]());
  const totals = createLanesTotals();
  vi.spyOn(rig.store, 'recordTelemetry').mockImplementation(async (_id, _step, delta) =>
    addLanes(totals, delta),
  );
  const canary = await TestWorker.start('v2', canaryWork);
  onTestFinished(() => canary.stop());
  const stable = await TestWorker.start('v1', stableWork);
  onTestFinished(() => stable.stop());
  if (stableUrl !== null) await rig.register({ id: 's', version: 'v1', url: stableUrl ?? stable.url });
  await rig.register({ id: 'c', version: 'v2', url: canary.url, lane: 'canary' });
  const deployment = await rig.createDeployment({
    currentPercent: percentage,
    config: { ...deploymentOf().config, retryOnStable },
  });
  return {
    rig,
    canary,
    stable,
    deployment,
    async judged() {
      await rig.proxy.close(0);
      return totals;
    },
  };
}

/** Samples above 0. */
async function counted(rig: Rig, metric: string): Promise<Record<string, number>> {
  return Object.fromEntries([...(await rig.metric(metric))].filter(([, value]) => value > 0));
}

function jobs(lane: 'stable' | 'canary', outcome: Outcome): string {
  return `queue="jobs",lane="${lane}",version="${lane === 'stable' ? 'v1' : 'v2'}",outcome="${outcome}"`;
}

function outcomes(counts: Partial<Record<Outcome, number>>): number[] {
  const array = [0, 0, 0, 0, 0, 0];
  for (const [outcome, count] of Object.entries(counts)) array[OUTCOME_INDEX[outcome as Outcome]] = count;
  return array;
}

async function expectNothingInFlight(rig: Rig): Promise<void> {
  expect(await counted(rig, 'canary_jobs_in_flight')).toEqual({});
  for (const queue of rig.proxy.table.queues.values()) {
    for (const pool of [queue.route.stable, queue.route.canary, queue.route.reserve]) {
      expect(pool.inFlightTotal).toBe(0);
      expect(pool.keysInFlight.size).toBe(0);
      expect(pool.endpoints.map((endpoint) => endpoint.inFlight)).toEqual(pool.endpoints.map(() => 0));
    }
  }
}

/** Something that happens in a worker and that the test waits for. */
function signal<T = void>(): { readonly happened: Promise<T>; readonly happen: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { happened: promise, happen: resolve };
}

const SILENCE = { LANEWISE_DISPATCH_RESPONSE_HEADER_TIMEOUT: '1s' };

describe('a job that failed on the canary', () => {
  it.each<[string, Work, Record<string, string>?]>([
    ['by a 500', failing],
    ['by a 404', (_job, response) => response.writeHead(404).end()],
    ['by a 503 that is not "not now"', (_job, response) => response.writeHead(503).end()],
    ['by breaking off', (_job, response) => response.destroy()],
    ['by silence', () => {}, SILENCE],
  ])('%s is tried on stable, and the producer gets that answer', async (_how, work, settings = {}) => {
    const { rig, canary, stable, deployment } = await startScene({ canary: work, settings });
    const answer = await rig.send('jobs', {
      method: 'PUT',
      path: '/a?b=c',
      headers: { 'X-Job-Id': 'j', 'Content-Type': 'text/plain' },
      body: 'the body',
    });
    expect(answer).toMatchObject({ status: 200, body: 'stable did it' });
    expect(answer.headers).toMatchObject({
      'x-job-id': 'j',
      'x-canary-lane': 'stable',
      'x-canary-version': 'v1',
      'x-canary-worker': 's',
      'x-canary-deployment': deployment.id,
      'x-canary-retried': 'true',
    });
    expect(answer.headers).not.toHaveProperty('x-from');
    expect(answer.headers).not.toHaveProperty('x-canary-fallback');
    expect(answer.headers).not.toHaveProperty('x-canary-error');
    expect(canary.jobs.map(({ headers }) => headers['x-canary-attempt'])).toEqual(['1']);
    expect(stable.jobs).toHaveLength(1);
    expect(stable.jobs[0]).toMatchObject({ method: 'PUT', url: '/a?b=c', body: 'the body' });
    expect(stable.jobs[0]!.headers).toMatchObject({
      'x-job-id': 'j',
      'x-canary-lane': 'stable',
      'x-canary-version': 'v1',
      'x-canary-attempt': '2',
      'content-type': 'text/plain',
    });
  });

  it('without a body is retried too', async () => {
    const { rig, stable } = await startScene();
    expect(await rig.send('jobs', { method: 'GET' })).toMatchObject({ status: 200, body: 'stable did it' });
    expect(stable.jobs.map(({ method }) => method)).toEqual(['GET']);
  });

  it('goes to the worker of its key, as any job of stable', async () => {
    const { rig, deployment } = await startScene();
    const others = await Promise.all([TestWorker.start('v1'), TestWorker.start('v1')]);
    onTestFinished(async () => {
      await Promise.all(others.map((other) => other.stop()));
    });
    for (const [i, { url }] of others.entries()) await rig.register({ id: `s${i}`, version: 'v1', url });
    const sends: Send[] = Array.from({ length: 30 }, (_, i) => ({
      headers: { 'X-Canary-Sticky-Key': `key-${i}` },
    }));
    const retried = await rig.sendAll(sends);
    await rig.setPercentage(deployment, 0);
    const direct = await rig.sendAll(sends);
    const workers = retried.map(({ headers }) => headers['x-canary-worker']);
    expect(workers).toEqual(direct.map(({ headers }) => headers['x-canary-worker']));
    expect(new Set(workers)).toEqual(new Set(['s', 's0', 's1']));
    expect(new Set(retried.map(({ headers }) => headers['x-canary-retried']))).toEqual(new Set(['true']));
  });

  it('is tried once: what stable says then stands', async () => {
    const { rig, canary, stable } = await startScene({
      stable: (_job, response) => response.writeHead(418).end('nor can I'),
    });
    const answer = await rig.send('jobs', { body: 'x' });
    expect(answer).toMatchObject({ status: 418, body: 'nor can I' });
    expect(answer.headers).toMatchObject({ 'x-canary-lane': 'stable', 'x-canary-retried': 'true' });
    expect([canary.jobs.length, stable.jobs.length]).toEqual([1, 1]);
  });

  it('is not written to a canary that was rolled back meanwhile, and stable still gets it', async () => {
    const arrived = signal<ServerResponse>();
    const { rig, canary, stable, deployment } = await startScene({
      canary: (_job, response) => arrived.happen(response),
    });
    const answer = rig.send('jobs', { body: 'x' });
    const response = await arrived.happened;
    await rig.rollBack(deployment);
    response.writeHead(500).end();
    expect(await answer).toMatchObject({ status: 200, body: 'stable did it' });
    expect((await answer).headers).toMatchObject({ 'x-canary-lane': 'stable', 'x-canary-retried': 'true' });
    expect((await answer).headers).not.toHaveProperty('x-canary-deployment');
    expect([canary.jobs.length, stable.jobs.length]).toEqual([1, 1]);
  });

  it('takes no header of the retry from the producer or a worker', async () => {
    const forging: Work = (_job, response) => response.writeHead(200, { 'X-Canary-Retried': 'true' }).end();
    const { rig, canary } = await startScene({ canary: forging });
    const answer = await rig.send('jobs', {
      headers: { 'X-Canary-Retried': 'true', 'X-Canary-Attempt': '2' },
    });
    expect(answer.headers).not.toHaveProperty('x-canary-retried');
    expect(answer.headers['x-canary-lane']).toBe('canary');
    expect(canary.jobs[0]!.headers).not.toHaveProperty('x-canary-retried');
    expect(
      canary.jobs[0]!.rawHeaders.filter((name) => name.toLowerCase() === 'x-canary-attempt'),
    ).toHaveLength(1);
    expect(canary.jobs[0]!.headers['x-canary-attempt']).toBe('1');
  });
});

describe('no retry follows', () => {
  /** The answer to a job that stable never saw. */
  async function sendUnretried({ rig, stable }: Scene, send: Send = { body: 'x' }): Promise<Answer> {
    const answer = await rig.send('jobs', send);
    expect(answer.headers).not.toHaveProperty('x-canary-retried');
    expect(stable.jobs).toEqual([]);
    expect(await counted(rig, 'canary_job_retries_total')).toEqual({});
    await expectNothingInFlight(rig);
    return answer;
  }

  it('where the deployment does not ask for it', async () => {
    expect(await sendUnretried(await startScene({ retryOnStable: false }))).toMatchObject({ status: 500 });
  });

  it.each<[string, number, Work]>([
    ['a success', 200, (_job, response) => response.end()],
    ['a redirect', 302, (_job, response) => response.writeHead(302, { location: '/' }).end()],
    ['a 429', 429, (_job, response) => response.writeHead(429).end()],
    [
      'a 503 with Retry-After',
      503,
      (_job, response) => response.writeHead(503, { 'retry-after': '1' }).end(),
    ],
  ])('on %s', async (_what, status, canary) => {
    expect(await sendUnretried(await startScene({ canary }))).toMatchObject({ status });
  });

  it("where nobody of stable is usable: the canary's own answer passes, whole", async () => {
    const scene = await startScene({ stableUrl: null });
    expect(await sendUnretried(scene)).toMatchObject({ status: 500, body: 'canary failed' });
    const totals = await scene.judged();
    expect(totals.canary).toMatchObject({ routed: 1, outcomes: outcomes({ failure: 1 }), excused: 0 });
  });

  it('on a job that asked for its lane', async () => {
    const scene = await startScene({
      settings: { LANEWISE_QUEUES: '{"jobs": {"allow_lane_override": true}}' },
    });
    expect(await sendUnretried(scene, { headers: { 'X-Canary-Lane': 'canary' } })).toMatchObject({
      status: 500,
    });
  });

  it('on a job whose body was too large to be read first', async () => {
    const scene = await startScene();
    expect(await sendUnretried(scene, { body: Buffer.alloc(65_537) })).toMatchObject({
      status: 500,
      body: 'canary failed',
    });
    expect(scene.canary.jobs[0]!.body).toHaveLength(65_537);
    const totals = await scene.judged();
    expect(totals.canary).toMatchObject({ routed: 1, outcomes: outcomes({ failure: 1 }), excused: 0 });
  });

  it('on a job whose body did not say how long it is, be it a single byte', async () => {
    const { rig, stable } = await startScene();
    const outgoing = httpRequest(`${rig.dispatchUrl}/dispatch/jobs`, { method: 'POST' });
    outgoing.write('x');
    outgoing.end();
    const [response] = (await once(outgoing, 'response')) as [{ statusCode: number; resume: () => void }];
    expect(response.statusCode).toBe(500);
    response.resume();
    expect(stable.jobs).toEqual([]);
  });

  it("when the canary breaks off in the middle of an answer: the producer's breaks off too", async () => {
    const { rig, stable } = await startScene({
      canary: (_job, response) => {
        response.writeHead(200, { 'Content-Length': '100' });
        response.write('half', () => response.destroy());
      },
    });
    const response = await fetch(`${rig.dispatchUrl}/dispatch/jobs`, { method: 'POST', body: 'x' });
    expect(response.headers.get('x-canary-lane')).toBe('canary');
    await expect(response.text()).rejects.toThrow('terminated');
    expect(stable.jobs).toEqual([]);
    expect(await counted(rig, 'canary_jobs_total')).toEqual({ [jobs('canary', 'failure')]: 1 });
  });

  it("when the dispatch's time is up: there is none left for stable", async () => {
    const scene = await startScene({ canary: () => {}, settings: { LANEWISE_DISPATCH_TIMEOUT: '50ms' } });
    expect(await sendUnretried(scene)).toMatchObject({ status: 504 });
    expect((await scene.judged()).canary).toMatchObject({ outcomes: outcomes({ timeout: 1 }), excused: 0 });
  });

  it('on stable itself, nor after a fallback to it', async () => {
    const scene = await startScene({ stable: (_job, response) => response.writeHead(500).end() });
    await scene.canary.stop();
    const answer = await scene.rig.send('jobs', { body: 'x' });
    expect(answer).toMatchObject({ status: 500, headers: { 'x-canary-fallback': 'true' } });
    expect(scene.stable.jobs.map(({ headers }) => headers['x-canary-attempt'])).toEqual(['1']);
    expect((await scene.judged()).stable).toMatchObject({ routed: 1, outcomes: outcomes({ failure: 1 }) });
  });

  it('when the canary was promoted meanwhile: stable is then what has just failed', async () => {
    const arrived = signal<ServerResponse>();
    const scene = await startScene({ canary: (_job, response) => arrived.happen(response) });
    const answer = scene.rig.send('jobs', { body: 'x' });
    const response = await arrived.happened;
    await scene.rig.promote(scene.deployment);
    response.writeHead(500).end('canary failed');
    expect(await answer).toMatchObject({ status: 500, body: 'canary failed' });
    expect([scene.canary.jobs.length, scene.stable.jobs.length]).toEqual([1, 0]);
  });
});

describe("the rest of the canary's answer", () => {
  it('is read if it is short, so that the connection serves again', async () => {
    const { rig, canary } = await startScene();
    let connections = 0;
    canary.server.on('connection', () => connections++);
    for (let i = 0; i < 5; i++) expect((await rig.send('jobs', { body: 'x' })).status).toBe(200);
    expect(canary.jobs).toHaveLength(5);
    expect(connections).toBe(1);
  });

  it('is not held, nor read to its end, if it is long', async () => {
    const left = signal();
    const { rig, canary } = await startScene({
      canary: (_job, response) => {
        response.on('close', left.happen);
        const chunk = Buffer.alloc(65_536);
        const pour = (): void => {
          while (!response.destroyed && response.write(chunk));
        };
        response.on('drain', pour);
        response.writeHead(500);
        pour();
      },
      // Holds its answer until the canary has noticed, so that it is not the end of the dispatch that breaks it off.
      stable: (_job, response) => void left.happened.then(() => response.end('stable did it')),
    });
    expect(await rig.send('jobs', { body: 'x' })).toMatchObject({ status: 200, body: 'stable did it' });
    expect(canary.jobs).toHaveLength(1);
  });

  it('is broken off when the dispatch has ended before it', async () => {
    const left = signal();
    const { rig } = await startScene({
      canary: (_job, response) => {
        response.on('close', left.happen);
        response.writeHead(500).write('to be continued');
      },
    });
    expect(await rig.send('jobs', { body: 'x' })).toMatchObject({ status: 200, body: 'stable did it' });
    await left.happened;
  });
});

describe('a retry', () => {
  it('goes to the next stable worker where connecting fails', async () => {
    const { rig } = await startScene();
    await rig.register({ id: 'gone', version: 'v1', url: `http://127.0.0.1:${await freePort()}` });
    const answers = await rig.sendAll(Array.from({ length: 30 }, () => ({ body: 'x' })));
    expect(
      new Set(answers.map(({ status, headers }) => `${status} ${String(headers['x-canary-worker'])}`)),
    ).toEqual(new Set(['200 s']));
    expect(await counted(rig, 'canary_jobs_total')).toEqual({ [jobs('stable', 'success')]: 30 });
    await expectNothingInFlight(rig);
  });

  it('that no stable worker takes is answered WORKER_UNREACHABLE, and excuses nobody', async () => {
    const scene = await startScene({ stableUrl: `http://127.0.0.1:${await freePort()}` });
    const answer = await scene.rig.send('jobs', { body: 'x' });
    expect(answer).toMatchObject({ status: 503, headers: { 'x-canary-error': 'WORKER_UNREACHABLE' } });
    expect(answer.body).toContain('No worker took the connection (tried s)');
    expect(scene.canary.jobs).toHaveLength(1);
    expect(await counted(scene.rig, 'canary_jobs_total')).toEqual({ [jobs('stable', 'unreachable')]: 1 });
    await expectNothingInFlight(scene.rig);
    const totals = await scene.judged();
    expect(totals.canary).toMatchObject({ routed: 1, outcomes: outcomes({ failure: 1 }), excused: 0 });
    expect(jobCount(totals.stable)).toBe(0);
  });

  it('ends with the producer: stable notices, and the canary has failed all the same', async () => {
    const arrived = signal();
    const left = signal();
    const scene = await startScene({
      stable: (_job, response) => {
        response.on('close', left.happen);
        arrived.happen();
      },
    });
    const outgoing = httpRequest(`${scene.rig.dispatchUrl}/dispatch/jobs`, { method: 'POST' }).end();
    outgoing.on('error', () => {});
    await arrived.happened;
    outgoing.destroy();
    await left.happened;
    await until(async () => jobs('stable', 'aborted') in (await counted(scene.rig, 'canary_jobs_total')));
    expect(await counted(scene.rig, 'canary_jobs_total')).toEqual({ [jobs('stable', 'aborted')]: 1 });
    await expectNothingInFlight(scene.rig);
    const totals = await scene.judged();
    expect(totals.canary).toMatchObject({ routed: 1, outcomes: outcomes({ failure: 1 }), excused: 0 });
    expect(totals.stable).toMatchObject({ routed: 0, outcomes: outcomes({}) });
  });

  it("has what is left of the dispatch's time; running out of it is not stable's word against the job", async () => {
    const scene = await startScene({ stable: () => {}, settings: { LANEWISE_DISPATCH_TIMEOUT: '1s' } });
    const answer = await scene.rig.send('jobs', { body: 'x' });
    expect(answer).toMatchObject({ status: 504, headers: { 'x-canary-error': 'WORKER_TIMEOUT' } });
    expect(scene.stable.jobs).toHaveLength(1);
    expect(await counted(scene.rig, 'canary_jobs_total')).toEqual({ [jobs('stable', 'timeout')]: 1 });
    const totals = await scene.judged();
    expect(totals.canary).toMatchObject({ outcomes: outcomes({ failure: 1 }), excused: 0 });
  });

  it('is ended by a proxy that stops, which is nobody’s fault', async () => {
    const arrived = signal();
    const scene = await startScene({ stable: () => arrived.happen() });
    const answer = scene.rig.send('jobs', { body: 'x' });
    await arrived.happened;
    const totals = await scene.judged();
    expect(await answer).toMatchObject({ status: 503, headers: { 'x-canary-error': 'PROXY_OVERLOADED' } });
    expect(totals.canary).toMatchObject({ outcomes: outcomes({ failure: 1 }), excused: 0 });
    expect(jobCount(totals.stable)).toBe(0);
  });

  it("counts each attempt's own time: the canary's until it failed, stable's from then on", async () => {
    const scene = await startScene({ canary: () => {}, settings: SILENCE });
    const sent = performance.now();
    await scene.rig.send('jobs', { body: 'x' });
    const tookMs = performance.now() - sent;
    const seconds = await scene.rig.metric('canary_job_duration_seconds_sum');
    const stableMs = 1000 * seconds.get('queue="jobs",lane="stable",version="v1"')!;
    const { canary } = await scene.judged();
    expect(canary.latency.count).toBe(1);
    // Two spans of one time, of which the first is nearly all: counted from the arrival, stable's would not fit in.
    expect(canary.latency.sum + stableMs).toBeLessThanOrEqual(tookMs);
  });

  it('is noted on both workers', async () => {
    const { rig } = await startScene({ settings: { LANEWISE_WORKER_TIMEOUT: '300ms' } });
    await rig.send('jobs', { body: 'x' });
    await until(async () => (await rig.store.listActivity()).get('s')?.processed === 1);
    await until(async () => (await rig.store.listActivity()).get('c')?.processed === 1);
    const activity = await rig.store.listActivity();
    expect(activity.get('c')).toMatchObject({ succeeded: 0, failed: 1 });
    expect(activity.get('s')).toMatchObject({ succeeded: 1, failed: 0 });
  });
});

/** What a worker does with a job, and the word for it. */
const FATES = {
  ok: 'success',
  crashed: 'failure',
  broken: 'failure',
  cut: 'failure',
  silent: 'timeout',
  busy: 'rejected',
} as const satisfies Record<string, Outcome>;
type Fate = keyof typeof FATES;
const FATE_NAMES = Object.keys(FATES) as Fate[];

function meet(fate: Fate, response: ServerResponse): void {
  switch (fate) {
    case 'ok':
      response.end();
      break;
    case 'crashed':
      response.writeHead(500).end();
      break;
    case 'broken':
      response.destroy();
      break;
    case 'cut':
      response.writeHead(200, { 'Content-Length': '100' }).write('half', () => response.destroy());
      break;
    case 'silent':
      break;
    case 'busy':
      response.writeHead(429).end();
      break;
    default:
      fate satisfies never;
  }
}

/** A `cut` answer had begun to go out. */
const RETRIED: ReadonlySet<Fate> = new Set(['crashed', 'broken', 'silent']);
const BLAMES_THE_JOB: ReadonlySet<Fate> = new Set(['crashed', 'broken', 'cut', 'silent']);

/** Silence apart, with few jobs at a time: on a machine that is busy, others must not be taken for silent. */
const QUICK = FATE_NAMES.filter((fate) => fate !== 'silent');
const MIXES = {
  'of many that are answered or broken off': {
    settings: {},
    fates: QUICK.flatMap((canary) => QUICK.map((stable) => [canary, stable] as const)),
    rounds: 8,
    percentage: 50,
  },
  'of a few that meet silence': {
    settings: { LANEWISE_DISPATCH_RESPONSE_HEADER_TIMEOUT: '2s' },
    fates: [
      ...FATE_NAMES.map((stable) => ['silent', stable] as const),
      ...FATE_NAMES.map((canary) => [canary, 'silent'] as const),
    ],
    rounds: 1,
    percentage: 100,
  },
} as const;

it.each(Object.entries(MIXES))('every job %s is counted once', async (_which, mix) => {
  // The job's id says what becomes of it: `<on the canary>-<on stable>-<number>`.
  const fatesOf = (jobId: string): [Fate, Fate] => jobId.split('-').slice(0, 2) as [Fate, Fate];
  const scene = await startScene({
    settings: mix.settings,
    percentage: mix.percentage,
    canary: ({ headers }, response) => meet(fatesOf(String(headers['x-job-id']))[0], response),
    stable: ({ headers }, response) => meet(fatesOf(String(headers['x-job-id']))[1], response),
  });
  const ids = mix.fates.flatMap(([canary, stable], n) =>
    Array.from({ length: mix.rounds }, (_, i) => `${canary}-${stable}-${n}.${i}`),
  );
  await Promise.all(
    ids.map(async (id) => {
      try {
        await scene.rig.send('jobs', { headers: { 'X-Job-Id': id }, body: 'x' });
      } catch {
        // An answer that was cut.
      }
    }),
  );

  const totals: Record<string, number> = {};
  const retries: Record<string, number> = {};
  const judged = { stable: outcomes({}), canary: outcomes({}) };
  let excused = 0;
  const seenByCanary = new Set(scene.canary.jobs.map(({ headers }) => String(headers['x-job-id'])));
  for (const id of ids) {
    const [onCanary, onStable] = fatesOf(id);
    const isCanary = seenByCanary.has(id);
    const isRetried = isCanary && RETRIED.has(onCanary);
    const first = FATES[isCanary ? onCanary : onStable];
    const last = isRetried ? FATES[onStable] : first;
    const key = jobs(isCanary && !isRetried ? 'canary' : 'stable', last);
    totals[key] = (totals[key] ?? 0) + 1;
    judged[isCanary ? 'canary' : 'stable'][OUTCOME_INDEX[first]]! += 1;
    if (!isRetried) continue;
    const retry = `queue="jobs",outcome="${last}"`;
    retries[retry] = (retries[retry] ?? 0) + 1;
    if (BLAMES_THE_JOB.has(onStable)) excused++;
  }
  expect(await counted(scene.rig, 'canary_jobs_total')).toEqual(totals);
  expect(Object.values(totals).reduce((a, b) => a + b)).toBe(ids.length);
  expect(await counted(scene.rig, 'canary_job_retries_total')).toEqual(retries);
  await expectNothingInFlight(scene.rig);
  const heard = await scene.judged();
  expect(heard.canary).toMatchObject({ routed: seenByCanary.size, outcomes: judged.canary, excused });
  expect(heard.stable).toMatchObject({
    routed: ids.length - seenByCanary.size,
    outcomes: judged.stable,
    excused: 0,
  });
  expect(heard.canary.latency.count).toBe(seenByCanary.size);
  expect(excused).toBeGreaterThan(0);
});
