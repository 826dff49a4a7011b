import { describe, expect, it } from 'vitest';
import { until } from '../helpers/patience.ts';
import { Rig, type Answer } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

/** Workers that gave a health path, asked by a running proxy over real sockets. */

const OFTEN = { LANEWISE_HEALTH_CHECK_INTERVAL: '20ms' };

interface WorkerView {
  readonly id: string;
  readonly usable: boolean;
  readonly health_path: string | null;
  readonly probes: { readonly failing: boolean; readonly good: number; readonly failed: number } | null;
}

async function view(rig: Rig, id: string): Promise<WorkerView> {
  const { workers } = JSON.parse((await rig.admin('/routes')).body) as { workers: readonly WorkerView[] };
  return workers.find((worker) => worker.id === id)!;
}

/** Answers jobs, and `GET /healthz` as `health` says; counts both. */
class Patient implements AsyncDisposable {
  readonly worker: TestWorker;
  health: number | 'silent' | 'endless' = 200;
  asked = 0;
  done = 0;

  constructor(worker: TestWorker) {
    this.worker = worker;
    worker.answer = ({ method, url }, response) => {
      if (method !== 'GET' || !url.endsWith('/healthz')) {
        this.done++;
        response.end('done');
        return;
      }
      this.asked++;
      if (this.health === 'silent') return;
      if (this.health === 'endless') response.writeHead(200).write('well, ');
      else response.writeHead(this.health).end(`{"status":${this.health}}`);
    };
  }

  static async start(): Promise<Patient> {
    return new Patient(await TestWorker.start('v1'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.stop();
  }
}

async function enlist(rig: Rig, id: string, patient: Patient, version = 'v1'): Promise<void> {
  await rig.register({ id, url: `${patient.worker.url}/base`, healthPath: '/healthz', version });
}

let sent = 0;

async function sendMany(rig: Rig, count: number): Promise<Answer[]> {
  return rig.sendAll(
    Array.from({ length: count }, () => ({ headers: { 'X-Canary-Sticky-Key': `customer-${sent++}` } })),
  );
}

describe('a worker with a health path', () => {
  it('is asked under its url, and has its jobs while it says that it is well', async () => {
    await using rig = await Rig.start({ settings: OFTEN });
    await using patient = await Patient.start();
    await enlist(rig, 'w', patient);
    await until(() => patient.asked >= 5);
    const { method, url, headers } = patient.worker.jobs[0]!;
    expect({ method, url, agent: headers['user-agent'] }).toEqual({
      method: 'GET',
      url: '/base/healthz',
      agent: 'lanewise-probe',
    });
    expect((await rig.send()).status).toBe(200);
    const { probes, health_path: path, usable } = await view(rig, 'w');
    expect({ path, usable, failing: probes!.failing }).toEqual({
      path: '/healthz',
      usable: true,
      failing: false,
    });
    expect(probes!.good).toBeGreaterThan(0);
  });

  it.each([503, 404, 302, 'silent', 'endless'] as const)(
    'is left alone while it answers %s, and has jobs again once it is well',
    async (health) => {
      await using rig = await Rig.start({
        settings: { ...OFTEN, LANEWISE_HEALTH_CHECK_TIMEOUT: '200ms' },
      });
      await using ill = await Patient.start();
      await using other = await Patient.start();
      ill.health = health;
      await enlist(rig, 'ill', ill);
      await enlist(rig, 'other', other);
      await until(async () => (await view(rig, 'ill')).probes!.failing);
      // Those that were on their way.
      const had = ill.done;
      const answers = await sendMany(rig, 100);
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
      expect(ill.done).toBe(had);
      expect(other.done).toBe(100);
      expect(await rig.metric('canary_workers_failing_probes')).toEqual(new Map([['', 1]]));
      const failed = (await rig.metric('canary_worker_probes_total')).get(
        'worker="ill",version="v1",result="failed"',
      );
      expect(failed).toBeGreaterThanOrEqual(3);

      ill.health = 204;
      await until(async () => {
        await sendMany(rig, 20);
        return ill.done > had;
      });
    },
  );

  it('is left alone also if it has stopped listening', async () => {
    await using rig = await Rig.start({ settings: OFTEN });
    await using gone = await Patient.start();
    await using other = await Patient.start();
    await enlist(rig, 'gone', gone);
    await enlist(rig, 'other', other);
    await gone.worker.stop();
    await until(async () => (await view(rig, 'gone')).probes!.failing);
    expect((await sendMany(rig, 50)).every(({ status }) => status === 200)).toBe(true);
  });

  it('has its jobs although it says that it is not well, if its lane has nobody else', async () => {
    await using rig = await Rig.start({ settings: OFTEN });
    await using stable = await Patient.start();
    await using canaries = new AsyncDisposableStack();
    const patients: Patient[] = [];
    await enlist(rig, 'stable', stable);
    for (const id of ['c1', 'c2', 'c3']) {
      const patient = canaries.use(await Patient.start());
      patient.health = 500;
      patients.push(patient);
      await enlist(rig, id, patient, 'v2');
    }
    await rig.setPercentage(await rig.createDeployment(), 100);
    await until(() => patients.every(({ asked }) => asked >= 10));
    const views = await Promise.all(['c1', 'c2', 'c3'].map((id) => view(rig, id)));
    expect(views.filter(({ usable }) => usable)).toHaveLength(1);
    const answers = await sendMany(rig, 50);
    expect(new Set(answers.map(({ headers }) => headers['x-canary-lane']))).toEqual(new Set(['canary']));
    expect(stable.done).toBe(0);
  });

  it('is another matter once it is registered without one', async () => {
    await using rig = await Rig.start({ settings: OFTEN });
    await using ill = await Patient.start();
    await using other = await Patient.start();
    ill.health = 500;
    const record = { id: 'ill', url: ill.worker.url };
    await rig.register({ ...record, healthPath: '/healthz' });
    await enlist(rig, 'other', other);
    await until(async () => (await view(rig, 'ill')).probes!.failing);
    await rig.register({ ...record, recordVersion: 2 });
    expect(await view(rig, 'ill')).toMatchObject({ usable: true, health_path: null, probes: null });
    await sendMany(rig, 100);
    expect(ill.done).toBeGreaterThan(20);
  });
});

describe('the registry', () => {
  it('hears that a worker is there only from a good answer, where it has a health path', async () => {
    await using rig = await Rig.start({ settings: { LANEWISE_WORKER_TIMEOUT: '300ms' } });
    await using ill = await Patient.start();
    await using well = await Patient.start();
    ill.health = 503;
    await enlist(rig, 'ill', ill);
    await enlist(rig, 'well', well);
    const rounds = new Set<number>();
    await until(async () => {
      const activity = await rig.store.listActivity();
      expect(activity.has('ill')).toBe(false);
      rounds.add(activity.get('well')?.lastSeen ?? 0);
      return rounds.size >= 4 && ill.asked >= 3;
    });
    ill.health = 200;
    await until(async () => (await rig.store.listActivity()).has('ill'));
  });
});

it('probes of a proxy that closes do not outlive it', async () => {
  await using patient = await Patient.start();
  const rig = await Rig.start({
    // Nobody waits for that.
    settings: { ...OFTEN, LANEWISE_HEALTH_CHECK_TIMEOUT: '1h' },
  });
  patient.health = 'silent';
  await enlist(rig, 'w', patient);
  await until(() => patient.asked > 0);
  await rig[Symbol.asyncDispose]();
  const { server } = patient.worker;
  await until(() => new Promise((resolve) => server.getConnections((_error, count) => resolve(count === 0))));
});
