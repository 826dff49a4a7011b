import { describe, expect, it } from 'vitest';
import { until } from '../helpers/patience.ts';
import { Rig, type Answer } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

/** Workers that keep failing, seen from outside: through a running proxy and real sockets. */

const LONG = { LANEWISE_EJECTION_TIME: '1h' };

interface Lane extends AsyncDisposable {
  readonly workers: readonly TestWorker[];
}

async function enlist(rig: Rig, version: string, count: number): Promise<Lane> {
  const stack = new AsyncDisposableStack();
  const workers: TestWorker[] = [];
  for (let i = 0; i < count; i++) {
    const worker = stack.use(await TestWorker.start(version));
    workers.push(worker);
    await rig.register({ id: `${version}-${i}`, url: worker.url, version });
  }
  return { workers, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function fail(worker: TestWorker | undefined, status = 500): void {
  worker!.answer = (_job, response) => response.writeHead(status).end('no');
}

function heal(worker: TestWorker | undefined): void {
  worker!.answer = (_job, response) => response.end('fine again');
}

let sent = 0;

async function sendMany(rig: Rig, count: number): Promise<Answer[]> {
  return rig.sendAll(
    Array.from({ length: count }, () => ({ headers: { 'X-Canary-Sticky-Key': `customer-${sent++}` } })),
  );
}

interface WorkerView {
  readonly id: string;
  readonly usable: boolean;
  readonly health: string;
  readonly ejections: number;
  readonly ejected_until: string | null;
  readonly in_flight: number;
}

async function view(rig: Rig): Promise<ReadonlyMap<string, WorkerView>> {
  const { workers } = JSON.parse((await rig.admin('/routes')).body) as { workers: readonly WorkerView[] };
  return new Map(workers.map((worker) => [worker.id, worker]));
}

async function healthOf(rig: Rig): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries([...(await view(rig)).values()].map(({ id, health }) => [id, health]));
}

describe('a worker that fails five times in a row', () => {
  it('gets no more jobs, and the others of its lane have them', async () => {
    await using rig = await Rig.start({ settings: LONG });
    await using lane = await enlist(rig, 'v1', 3);
    fail(lane.workers[0]);
    await sendMany(rig, 300);
    const had = lane.workers[0]!.jobs.length;
    const answers = await sendMany(rig, 300);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(lane.workers[0]!.jobs).toHaveLength(had);

    const { health, usable, ejections, ejected_until: back } = (await view(rig)).get('v1-0')!;
    expect({ health, usable, ejections }).toEqual({ health: 'ejected', usable: false, ejections: 1 });
    expect(Date.parse(back!)).toBeGreaterThan(Date.now() + 50 * 60_000);
    expect(await rig.metric('canary_worker_ejections_total')).toEqual(
      new Map([
        ['worker="v1-0",version="v1"', 1],
        ['worker="v1-1",version="v1"', 0],
        ['worker="v1-2",version="v1"', 0],
      ]),
    );
    expect(await rig.metric('canary_workers_ejected')).toEqual(new Map([['', 1]]));
  });

  it.each([
    { way: 'breaks off', answer: (w: TestWorker) => (w.answer = (_job, response) => response.destroy()) },
    { way: 'refuses connections', answer: (w: TestWorker) => w.stop() },
  ])('is ejected also if it $way', async ({ answer }) => {
    await using rig = await Rig.start({ settings: LONG });
    await using lane = await enlist(rig, 'v1', 2);
    await answer(lane.workers[0]!);
    await sendMany(rig, 200);
    expect(await healthOf(rig)).toEqual({ 'v1-0': 'ejected', 'v1-1': 'healthy' });
  });

  it('is ejected also if it does not answer in time', async () => {
    await using rig = await Rig.start({ settings: { ...LONG, LANEWISE_DISPATCH_TIMEOUT: '100ms' } });
    await using lane = await enlist(rig, 'v1', 2);
    lane.workers[0]!.answer = () => undefined;
    await sendMany(rig, 64);
    expect(await healthOf(rig)).toEqual({ 'v1-0': 'ejected', 'v1-1': 'healthy' });
  });

  it.each([400, 404, 409, 429])('is not ejected for %i: that is the job, or "not now"', async (status) => {
    await using rig = await Rig.start({ settings: LONG });
    await using lane = await enlist(rig, 'v1', 2);
    fail(lane.workers[0], status);
    await sendMany(rig, 100);
    expect(await healthOf(rig)).toEqual({ 'v1-0': 'healthy', 'v1-1': 'healthy' });
  });

  it('is not ejected if it is the last usable one of a lane', async () => {
    await using rig = await Rig.start({ settings: { ...LONG, LANEWISE_EJECTION_MAX_PERCENT: '100' } });
    await using lane = await enlist(rig, 'v1', 3);
    for (const worker of lane.workers) fail(worker);
    const answers = await sendMany(rig, 300);
    expect(answers.every(({ status }) => status === 500)).toBe(true);
    const health = Object.values(await healthOf(rig));
    expect(health.toSorted()).toEqual(['ejected', 'ejected', 'healthy']);
  });

  it('is not ejected if half of its lane is ejected already', async () => {
    await using rig = await Rig.start({ settings: LONG });
    await using lane = await enlist(rig, 'v1', 4);
    for (const worker of lane.workers) fail(worker);
    await sendMany(rig, 400);
    const health = Object.values(await healthOf(rig));
    expect(health.toSorted()).toEqual(['ejected', 'ejected', 'healthy', 'healthy']);
  });

  it('is never ejected with `ejection.failures: 0`', async () => {
    await using rig = await Rig.start({ settings: { LANEWISE_EJECTION_FAILURES: '0' } });
    await using lane = await enlist(rig, 'v1', 2);
    fail(lane.workers[0]);
    await sendMany(rig, 100);
    expect(await healthOf(rig)).toEqual({ 'v1-0': 'healthy', 'v1-1': 'healthy' });
  });
});

describe('when an ejection is over', () => {
  const SHORT = { LANEWISE_EJECTION_TIME: '150ms', LANEWISE_EJECTION_TIME_MAX: '200ms' };

  it('one dispatch shows whether the worker is well again', async () => {
    await using rig = await Rig.start({ settings: SHORT });
    await using lane = await enlist(rig, 'v1', 2);
    fail(lane.workers[0]);
    await sendMany(rig, 100);
    await until(async () => (await healthOf(rig))['v1-0'] === 'trial');

    // One that is under way keeps all others away.
    let release = (): void => undefined;
    lane.workers[0]!.answer = (_job, response) => (release = () => void response.end('fine again'));
    const had = lane.workers[0]!.jobs.length;
    const answered = sendMany(rig, 200);
    await until(() => lane.workers[1]!.jobs.length > 150 && lane.workers[0]!.jobs.length > had);
    expect(lane.workers[0]!.jobs.length - had).toBe(1);
    expect((await view(rig)).get('v1-0')).toMatchObject({ health: 'trial', usable: false, in_flight: 1 });
    heal(lane.workers[0]);
    release();
    expect((await answered).filter(({ status }) => status !== 200)).toEqual([]);
    expect(await healthOf(rig)).toEqual({ 'v1-0': 'healthy', 'v1-1': 'healthy' });
    await sendMany(rig, 100);
    expect(lane.workers[0]!.jobs.length - had).toBeGreaterThan(10);
  });

  it('one that fails ejects it again, and one that its producer gave up lets the next one try', async () => {
    await using rig = await Rig.start({ settings: SHORT });
    await using lane = await enlist(rig, 'v1', 2);
    fail(lane.workers[0]);
    await sendMany(rig, 100);
    await until(async () => (await healthOf(rig))['v1-0'] === 'trial');
    await sendMany(rig, 100);
    await until(async () => (await view(rig)).get('v1-0')!.ejections >= 2);

    lane.workers[0]!.answer = () => undefined;
    await until(async () => (await healthOf(rig))['v1-0'] === 'trial');
    const gone = new AbortController();
    const had = lane.workers[0]!.jobs.length;
    const sends = Array.from({ length: 40 }, (_, i) =>
      fetch(`${rig.dispatchUrl}/dispatch/jobs`, {
        method: 'POST',
        headers: { 'X-Canary-Sticky-Key': `impatient-${i}` },
        signal: gone.signal,
      }).catch(() => undefined),
    );
    await until(() => lane.workers[0]!.jobs.length > had);
    gone.abort();
    await Promise.all(sends);
    heal(lane.workers[0]);
    // One that was given up may still be on its way in, and be the one that is tried next.
    await until(async () => {
      await sendMany(rig, 20);
      return (await healthOf(rig))['v1-0'] === 'healthy';
    });
  });
});

describe('a bad canary does not hide from the judge', () => {
  it('its jobs go on failing in its lane, none falls back to stable', async () => {
    await using rig = await Rig.start({ settings: LONG });
    await using stable = await enlist(rig, 'v1', 2);
    await using canary = await enlist(rig, 'v2', 4);
    for (const worker of canary.workers) fail(worker);
    await rig.setPercentage(await rig.createDeployment(), 50);
    const answers = await sendMany(rig, 400);
    const ofCanary = answers.filter(({ headers }) => headers['x-canary-lane'] === 'canary');
    // Every single one has failed there, and half of all went there: 6 standard deviations.
    expect(ofCanary.every(({ status }) => status === 500)).toBe(true);
    expect(Math.abs(ofCanary.length - 200)).toBeLessThan(60);
    expect(stable.workers.flatMap(({ jobs }) => jobs)).toHaveLength(400 - ofCanary.length);
    expect([...(await rig.metric('canary_job_fallbacks_total')).values()]).toEqual([0]);
    const counted = await rig.metric('canary_jobs_total');
    expect(counted.get('queue="jobs",lane="canary",version="v2",outcome="failure"')).toBe(ofCanary.length);
  });

  it('also when those that were not ejected are gone from the registry', async () => {
    await using rig = await Rig.start({ settings: LONG });
    await using stable = await enlist(rig, 'v1', 2);
    await using canary = await enlist(rig, 'v2', 1);
    await using other = await TestWorker.start('v2');
    const leaving = await rig.register({ id: 'leaving', url: other.url, version: 'v2' });
    fail(canary.workers[0]);
    await rig.setPercentage(await rig.createDeployment(), 100);
    await sendMany(rig, 100);
    expect((await healthOf(rig))['v2-0']).toBe('ejected');
    await rig.remove(leaving);
    const answers = await sendMany(rig, 20);
    expect(answers.map(({ status, headers }) => [status, headers['x-canary-lane']])).toEqual(
      answers.map(() => [500, 'canary']),
    );
    expect(stable.workers.flatMap(({ jobs }) => jobs)).toEqual([]);
  });
});
