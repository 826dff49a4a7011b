import { describe, expect, it, vi } from 'vitest';
import { TelemetrySender } from '../../proxy/telemetry-sender.ts';
import { countOutcome, DispatchTelemetry } from '../../proxy/telemetry.ts';
import { distinctKeyCount } from '../../src/core/distinct-keys.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import { jobCount, type LanesTotals } from '../../src/core/lane-totals.ts';
import { createLog } from '../../src/runtime/log.ts';
import { deploymentOf } from '../core/fixtures.ts';
import { Rig } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';
import { until } from '../helpers/patience.ts';

describe('telemetry of a deployment', () => {
  it('reaches the store by lane, with outcomes and latencies, and nothing from before the deployment', async () => {
    await using rig = await Rig.start();
    await using v1 = await TestWorker.start('v1');
    await using v2 = await TestWorker.start('v2', (_job, response) => response.writeHead(500).end());
    await rig.register({ url: v1.url, version: 'v1' });
    await rig.register({ url: v2.url, version: 'v2' });
    await rig.sendAll(Array.from({ length: 50 }, () => ({})));

    const deployment = await rig.setPercentage(await rig.createDeployment(), 40);
    const answers = await rig.sendAll(Array.from({ length: 300 }, () => ({})));
    const canary = answers.filter((answer) => answer.headers['x-canary-lane'] === 'canary').length;

    let lanes: LanesTotals | undefined;
    await until(async () => {
      lanes = await rig.store.readTelemetry(deployment.id, 3_600_000);
      return jobCount(lanes.stable) + jobCount(lanes.canary) >= 300;
    });
    expect(lanes!.canary).toMatchObject({ routed: canary, outcomes: [0, canary, 0, 0, 0, 0] });
    expect(lanes!.stable).toMatchObject({ routed: 300 - canary, outcomes: [300 - canary, 0, 0, 0, 0, 0] });
    expect(lanes!.canary.latency.count).toBe(canary);
  });

  it('is kept by step: a job counts for the step that it was dispatched in, and keys only where asked', async () => {
    await using rig = await Rig.start();
    const held: (() => void)[] = [];
    await using v1 = await TestWorker.start('v1', (_job, response) => void held.push(() => response.end()));
    await using v2 = await TestWorker.start('v2', (_job, response) => void held.push(() => response.end()));
    await rig.register({ url: v1.url, version: 'v1' });
    await rig.register({ url: v2.url, version: 'v2' });
    const letGo = (count: number): Promise<void> =>
      until(() => held.length === count).then(() => held.splice(0).forEach((end) => end()));

    const deployment = await rig.createDeployment({ config: { ...deploymentOf().config, requiredKeys: 5 } });
    const first = await rig.setPercentage(deployment, 100);
    const jobs = Array.from({ length: 30 }, (_, i) => ({
      headers: { 'x-canary-sticky-key': `customer-${i % 10}` },
    }));
    const early = rig.sendAll(jobs);
    await until(() => held.length === 30);
    await rig.setPercentage(first, 0);
    const late = rig.sendAll(jobs.slice(0, 7));
    await letGo(37);
    await Promise.all([early, late]);

    const steps = async () => {
      const [two, three] = [first.step, first.step + 1].map((step) =>
        rig.store.readStep(deployment.id, step),
      );
      return [(await two!).lanes, (await three!).lanes] as const;
    };
    await until(async () => {
      const [two, three] = await steps();
      return jobCount(two.canary) === 30 && jobCount(three.stable) === 7;
    });
    const [two, three] = await steps();
    expect([two.canary.routed, two.stable.routed]).toEqual([30, 0]);
    expect([three.canary.routed, three.stable.routed]).toEqual([0, 7]);
    expect(distinctKeyCount(two.canary.keys)).toBe(10);
    expect(distinctKeyCount(three.stable.keys)).toBe(7);
  });

  it('is sent again with the next of its step when the store was away, and the rest when the proxy stops', async () => {
    const telemetry = new DispatchTelemetry();
    const recorded: { step: number; jobs: number }[] = [];
    let isDown = true;
    const sender = new TelemetrySender({
      telemetry,
      store: {
        recordTelemetry: async (_id, step, delta) => {
          if (isDown) throw new LanewiseError('STORE_UNAVAILABLE', 'down');
          recorded.push({ step, jobs: jobCount(delta.canary) });
        },
      },
      log: createLog('silent'),
      every: 1,
    });
    const finish = (step = 1): void =>
      countOutcome(telemetry.recentOf('canary_1', step).canary, 'success', 5);
    const jobsOf = (step: number): number =>
      recorded.filter((delta) => delta.step === step).reduce((sum, { jobs }) => sum + jobs, 0);
    finish();
    finish(2);
    const taken = vi.spyOn(telemetry, 'takeRecent');
    await until(() => taken.mock.calls.length > 2);
    finish();
    isDown = false;
    await until(() => recorded.length > 0);
    await sender.stop();
    expect([jobsOf(1), jobsOf(2)]).toEqual([2, 1]);
    finish();
    await sender.stop();
    expect([jobsOf(1), jobsOf(2)]).toEqual([3, 1]);
  });
});
