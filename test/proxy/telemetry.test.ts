import { describe, expect, it, vi } from 'vitest';
import { TelemetrySender } from '../../proxy/telemetry-sender.ts';
import { countOutcome, DispatchTelemetry } from '../../proxy/telemetry.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import { jobCount, type LanesTotals } from '../../src/core/lane-totals.ts';
import { createLog } from '../../src/runtime/log.ts';
import { Rig } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

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
    await vi.waitUntil(async () => {
      lanes = await rig.store.readTelemetry(deployment.id, 3_600_000);
      return jobCount(lanes.stable) + jobCount(lanes.canary) >= 300;
    }, 10_000);
    expect(lanes!.canary).toMatchObject({ routed: canary, outcomes: [0, canary, 0, 0, 0, 0] });
    expect(lanes!.stable).toMatchObject({ routed: 300 - canary, outcomes: [300 - canary, 0, 0, 0, 0, 0] });
    expect(lanes!.canary.latency.count).toBe(canary);
  });

  it('is sent again with the next when the store was away, and the rest when the proxy stops', async () => {
    const telemetry = new DispatchTelemetry();
    const recorded: LanesTotals[] = [];
    let isDown = true;
    const sender = new TelemetrySender({
      telemetry,
      store: {
        recordTelemetry: async (_id, delta) => {
          if (isDown) throw new LanewiseError('STORE_UNAVAILABLE', 'down');
          recorded.push(delta);
        },
        readTelemetry: () => Promise.reject(new Error('not asked')),
      },
      log: createLog('silent'),
      every: 1,
    });
    const finish = (): void => countOutcome(telemetry.recentOf('canary_1').canary, 'success', 5);
    finish();
    const taken = vi.spyOn(telemetry, 'takeRecent');
    await vi.waitUntil(() => taken.mock.calls.length > 2);
    finish();
    isDown = false;
    await vi.waitUntil(() => recorded.length > 0);
    await sender.stop();
    expect(recorded.reduce((sum, { canary }) => sum + jobCount(canary), 0)).toBe(2);
    finish();
    await sender.stop();
    expect(recorded.reduce((sum, { canary }) => sum + jobCount(canary), 0)).toBe(3);
  });
});
