import { afterAll, describe, expect, test } from 'vitest';
import { closeRedis } from '../judge/court.ts';
import { decide, KINDS, openRig } from './rig.ts';

afterAll(closeRedis);

/** The tenants of a queue share its lanes, and nobody can tell from outside whose a job is. */
describe.each(KINDS)('tenants of one queue, $strategy on the $store store', (kind) => {
  test("a tenant's rollback leaves the lane to the queue's own deployment, ends at once, and says so", async () => {
    const rig = await openRig(kind);
    const ofQueue = await rig.deploy();
    const ofTenant = await rig.deploy({ tenant_id: 'acme' });
    await rig.put('canary', 3);
    await decide(rig, ofTenant, 'rollback');
    expect(await rig.status(ofTenant)).toBe('failed');
    expect(await rig.counts('canary')).toMatchObject({ waiting: 3 });
    expect((await rig.events(ofTenant))[0]).toMatchObject({
      type: 'lane_drained',
      message: `Canary lane kept for ${ofQueue}: 3 jobs in it, each goes where its route says`,
      data: { drained: 0, remaining: 3, drain_incomplete: false, lane_kept_for: [ofQueue] },
    });
    expect(await rig.status(ofQueue)).toBe('active');
  });

  test('the deployment that ends last empties the lane for all', async () => {
    const rig = await openRig(kind);
    const ofQueue = await rig.deploy();
    const ofTenant = await rig.deploy({ tenant_id: 'acme' });
    await rig.control.call('POST', `/deployments/${ofTenant}/pause`);
    await rig.put('canary', 3);
    await decide(rig, ofQueue, 'promote');
    expect(await rig.status(ofQueue)).toBe('completed');
    expect(await rig.counts('canary')).toMatchObject({ waiting: 3 });
    await decide(rig, ofTenant, 'rollback');
    expect(await rig.status(ofTenant)).toBe('failed');
    expect((await rig.events(ofTenant))[0]!.data).toMatchObject({ drained: 3, remaining: 0 });
    expect(await rig.counts('stable')).toMatchObject({ waiting: 3 });
  });

  test('a deployment of another queue, or one without lanes, keeps no lane', async () => {
    const rig = await openRig(kind);
    await rig.deploy({ queue_name: 'other' });
    await rig.deploy({ tenant_id: 'umbrella', routing_strategy: 'hash_ring' });
    const id = await rig.deploy({ tenant_id: 'acme' });
    await rig.put('canary', 3);
    await decide(rig, id, 'rollback');
    expect((await rig.events(id))[0]!.data).toMatchObject({ drained: 3, remaining: 0 });
  });
});
