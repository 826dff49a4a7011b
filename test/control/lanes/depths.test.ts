import { Registry } from 'prom-client';
import { afterAll, describe, expect, test } from 'vitest';
import { addLaneMetrics } from '../../../control/lanes/metrics.ts';
import { aConsumer, anAttempt, takeNow } from '../../runtime/store/lane-fixture.ts';
import { closeRedis, embedded, onRedis, redisServer } from '../judge/court.ts';
import { decide, KINDS, openRig, QUEUE, type LaneRig } from './rig.ts';

afterAll(closeRedis);

/** In the canary lane two jobs that wait, one that is delayed and one in work; in the stable one three; two are dead. */
async function fill(rig: LaneRig): Promise<void> {
  const consumer = aConsumer(rig.calm);
  await rig.put('canary', 2);
  const [first, second] = await takeNow(consumer, rig.lanes, 'canary');
  for (const job of [first!, second!]) await consumer.bury(job, { reason: 'poison', ended: anAttempt() });
  await rig.put('canary', 4);
  const [retried] = await takeNow(consumer, rig.lanes, 'canary', 2);
  await consumer.retry(retried!, { delayMs: 600_000, lane: 'canary', ended: anAttempt() });
  await rig.put('stable', 3);
}

describe.each(KINDS)('$strategy on the $store store', (kind) => {
  test('metrics of a deployment tell how many jobs lie in each lane, and how many are dead', async () => {
    const rig = await openRig(kind);
    const id = await rig.deploy();
    await fill(rig);
    const metrics = await rig.control.call('GET', `/deployments/${id}/metrics`);
    expect(metrics.body).toMatchObject({
      stable: { queue_depth: 3, dead_letters: 2 },
      canary: { queue_depth: 3, dead_letters: 2 },
    });
    const { body } = await rig.control.call('GET', `/deployments/${id}`);
    expect(body.metrics.canary).toMatchObject({ queue_depth: 3, dead_letters: 2 });
  });

  test('of one that has ended they tell nothing: its lanes are others’ by now', async () => {
    const rig = await openRig(kind);
    const id = await rig.deploy();
    await rig.put('stable', 3);
    await decide(rig, id, 'rollback');
    const { body } = await rig.control.call('GET', `/deployments/${id}/metrics`);
    expect(body).toMatchObject({
      stable: { queue_depth: null, dead_letters: null },
      canary: { queue_depth: null, dead_letters: null },
    });
  });

  test('Prometheus gets them from the instance that holds the lease, and from no other', async () => {
    const rig = await openRig(kind);
    const [holder, other] = [new Registry(), new Registry()];
    addLaneMetrics(holder, rig.survey);
    const { survey } = rig.another();
    addLaneMetrics(other, survey);
    await rig.deploy();
    await rig.lease.claim();
    await rig.survey.tick();
    await survey.tick();
    await fill(rig);
    await rig.survey.tick();
    await survey.tick();
    const text = await holder.metrics();
    for (const line of [
      `canary_queue_depth{queue="${QUEUE}",lane="stable"} 3`,
      `canary_queue_depth{queue="${QUEUE}",lane="canary"} 3`,
      `canary_dead_jobs{queue="${QUEUE}"} 2`,
      `canary_dead_jobs_total{queue="${QUEUE}"} 2`,
    ]) {
      expect(text).toContain(line);
    }
    expect(text).toMatch(/^canary_queue_oldest_job_age_seconds\{queue="\{payments\}",lane="stable"\} \d/m);
    expect(await other.metrics()).not.toContain(QUEUE);

    // Dead jobs that go make the gauge fall, not the counter.
    await rig.calm.dropDeadJobs(rig.lanes, 'all');
    await rig.survey.tick();
    expect(await holder.metrics()).toMatch(/canary_dead_jobs\S+ 0\n/);
    expect(await holder.metrics()).toMatch(/canary_dead_jobs_total\S+ 2\n/);

    // With the lease the series go.
    await rig.lease.release();
    expect(await holder.metrics()).not.toContain('canary_queue_depth{');
  });
});

test('hash_ring has no queue, so its depths are null', async () => {
  const rig = await openRig({ open: embedded, strategy: 'split_queue' });
  const id = await rig.deploy({ routing_strategy: 'hash_ring' });
  await rig.put('stable', 3);
  const { body } = await rig.control.call('GET', `/deployments/${id}/metrics`);
  expect(body.stable).toMatchObject({ queue_depth: null, dead_letters: null });
});

test('a queue whose key holds something else is null in the metrics, and the health says why', async () => {
  const rig = await openRig({ open: onRedis, strategy: 'stream_group' });
  const id = await rig.deploy();
  const server = await redisServer();
  await server.client().set(QUEUE, 'of somebody else');
  expect((await rig.control.call('GET', `/deployments/${id}/metrics`)).body.stable.queue_depth).toBeNull();
  const { body } = await rig.control.call('GET', `/deployments/${id}/health`);
  expect(body.notes).toEqual([
    `the lanes cannot be read: the Redis key "${QUEUE}" holds a string where the queue needs a stream: ` +
      'move it away, or give the queue another name',
  ]);
  // And it does not keep the survey from the others.
  await rig.deploy({ queue_name: 'other' });
  await rig.lease.claim();
  await rig.survey.tick();
  expect([...rig.survey.latest()].map(([queue]) => queue)).toEqual(['other']);
});

test('a queue that only tenants have deployments of goes by the latest of them', async () => {
  const rig = await openRig({ open: embedded, strategy: 'stream_group' });
  await rig.deploy({ tenant_id: 'acme' });
  const { body } = await rig.control.call('GET', '/queues');
  expect(body.queues).toMatchObject([{ name: QUEUE, strategy: 'stream_group' }]);
});
