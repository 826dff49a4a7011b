import { describe, expect, test } from 'vitest';
import type { LiveObserver } from '../../../control/event-stream/watch.ts';
import { INSTANT } from '../documented.ts';
import { created } from '../harness.ts';
import { eventually, percentages, setPercentage, startPlane, subscribe } from './clients.ts';

const METRICS = { stable: { job_count: 9 }, canary: { job_count: 1 } };

/** Answers what it is told to, and counts how often it was asked. */
function observer(): LiveObserver & { status: string; asked: number } {
  return {
    status: 'unknown',
    asked: 0,
    async observe() {
      this.asked += 1;
      return { metrics: METRICS, health: { overall_status: this.status } };
    },
  };
}

describe('a stream tells', () => {
  test('of every change, as the API document writes it', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    const client = await subscribe(plane, id);
    await setPercentage(plane, id, 10);
    await setPercentage(plane, id, 25);
    await plane.call('POST', `/deployments/${id}/pause`);
    await plane.call('POST', `/deployments/${id}/resume`);
    await plane.call('POST', `/deployments/${id}/promote`);
    const frames = await client.kept(8);
    const common = { id: expect.stringMatching(/^event_/) as string, deployment_id: id, timestamp: INSTANT };
    const of = (type: string, data: unknown) => ({ ...common, type, data });
    expect(frames).toEqual([
      of('percentage_updated', { old_percentage: 0, new_percentage: 10 }),
      of('percentage_updated', { old_percentage: 10, new_percentage: 25 }),
      of('deployment_status_changed', { old_status: 'active', new_status: 'paused' }),
      of('deployment_status_changed', { old_status: 'paused', new_status: 'active' }),
      of('promotion_triggered', { automatic: false, message: 'Deployment promoted to 100%' }),
      of('percentage_updated', { old_percentage: 25, new_percentage: 100 }),
      of('deployment_status_changed', { old_status: 'active', new_status: 'promoting' }),
      of('deployment_status_changed', { old_status: 'promoting', new_status: 'completed' }),
    ]);
    // The ids are those of the list of events.
    const { body } = await plane.call('GET', `/deployments/${id}/events`);
    const ids = body.events.map((event: { id: string }) => event.id).toReversed();
    expect(frames.map((f) => f.id)).toEqual([
      ...ids.slice(1, 5),
      `${ids[5]}.1`,
      `${ids[5]}.2`,
      ids[5],
      ids[6],
    ]);
  });

  test('of a rollback with its reason', async () => {
    const plane = await startPlane();
    const id = await created(plane, { initial_percentage: 50 });
    const client = await subscribe(plane, id);
    await plane.call('POST', `/deployments/${id}/rollback`, { reason: 'too slow' });
    expect(await client.kept(4)).toMatchObject([
      { type: 'rollback_triggered', data: { reason: 'too slow' } },
      { type: 'percentage_updated', data: { old_percentage: 50, new_percentage: 0 } },
      { type: 'deployment_status_changed', data: { old_status: 'active', new_status: 'rolling_back' } },
      { type: 'deployment_status_changed', data: { old_status: 'rolling_back', new_status: 'failed' } },
    ]);
  });

  test('of its own deployment only', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    const other = await created(plane, { queue_name: 'other' });
    const client = await subscribe(plane, id);
    await setPercentage(plane, other, 5);
    await setPercentage(plane, id, 7);
    expect(percentages(await client.kept(1))).toEqual([7]);
  });

  test('of metrics and of changes of health, observed once for all who watch', async () => {
    const seen = observer();
    const plane = await startPlane({ eventStream: { observer: seen, metricsIntervalMs: 10 } });
    const id = await created(plane);
    const clients = await Promise.all(Array.from({ length: 20 }, () => subscribe(plane, id)));
    for (const client of clients) {
      expect(await client.first('metrics_updated')).toEqual({
        type: 'metrics_updated',
        deployment_id: id,
        timestamp: INSTANT,
        data: METRICS,
      });
    }
    for (const [old_status, new_status] of [
      ['unknown', 'healthy'],
      ['healthy', 'failing'],
    ]) {
      seen.status = new_status!;
      for (const { frames } of clients) {
        await eventually(() => frames.some((f) => f.data.new_status === new_status));
        expect(frames.findLast((f) => f.type === 'health_status_changed')).toEqual({
          type: 'health_status_changed',
          deployment_id: id,
          timestamp: INSTANT,
          data: { old_status, new_status },
        });
      }
    }
    const received = clients.map(({ frames }) => frames.filter((f) => f.type === 'metrics_updated').length);
    // Each came from an observation, or was repeated to the client as it came.
    for (const count of received) expect(count).toBeLessThanOrEqual(seen.asked + 1);
  });

  test('a late client at once what is known of metrics and health', async () => {
    const seen = observer();
    seen.status = 'warning';
    // Nobody lives to see the second observation.
    const plane = await startPlane({ eventStream: { observer: seen, metricsIntervalMs: 3_600_000 } });
    const id = await created(plane);
    const early = await subscribe(plane, id);
    await early.first('health_status_changed');
    const late = await subscribe(plane, id);
    expect(await late.first('health_status_changed')).toMatchObject({
      data: { old_status: 'unknown', new_status: 'warning' },
    });
    expect(await late.first('metrics_updated')).toMatchObject({ data: METRICS });
    expect(seen.asked).toBe(1);
  });

  test('nothing of a deployment that nobody watches any more', async () => {
    const seen = observer();
    const plane = await startPlane({ eventStream: { observer: seen, metricsIntervalMs: 5 } });
    const [first, second] = [await created(plane), await created(plane, { queue_name: 'other' })];
    const client = await subscribe(plane, first);
    await client.first('metrics_updated');
    client.socket.close();
    await client.closed;
    const clock = await subscribe(plane, second);
    await clock.first('metrics_updated');
    let asked: string[] = [];
    const observe = seen.observe.bind(seen);
    seen.observe = (deployment) => {
      asked.push(deployment.id);
      return observe(deployment);
    };
    await eventually(() => asked.length >= 3);
    asked = [];
    await eventually(() => asked.length >= 10);
    expect(new Set(asked)).toEqual(new Set([second]));
  });

  test('real metrics and health, as their endpoints give them', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    const client = await subscribe(plane, id);
    const frame = await client.first('metrics_updated');
    const { body } = await plane.call('GET', `/deployments/${id}/metrics`);
    expect(Object.keys(frame.data.canary)).toEqual(Object.keys(body.canary));
    expect(frame.data.canary.version).toBe('v1.3.0');
  });

  test('that its deployment was deleted, and ends', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    const client = await subscribe(plane, id);
    await plane.call('POST', `/deployments/${id}/rollback`);
    await plane.call('DELETE', `/deployments/${id}`);
    expect(await client.closed).toEqual({ code: 1000, reason: 'the deployment was deleted' });
    expect(client.frames.map((f) => f.type)).toContain('rollback_triggered');
  });
});

describe('a stream that goes on', () => {
  test('after any frame brings every later one, and no other', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    for (const percentage of [1, 2, 3]) await setPercentage(plane, id, percentage);
    await plane.call('POST', `/deployments/${id}/promote`);
    const { body } = await plane.call('GET', `/deployments/${id}/events`);
    const creation = body.events.at(-1).id as string;
    const whole = await (await subscribe(plane, id, `?since=${creation}`)).kept(6);
    for (const [i, { id: since }] of whole.entries()) {
      if (i === whole.length - 1) continue;
      const rest = whole.length - i - 1;
      expect(await (await subscribe(plane, id, `?since=${since}`)).kept(rest)).toEqual(whole.slice(i + 1));
    }
  });

  test('after an event that is not kept brings everything that is', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    for (const percentage of [1, 2, 3]) await setPercentage(plane, id, percentage);
    const client = await subscribe(plane, id, '?since=event_00000000-0000-4000-8000-000000000000');
    expect(percentages(await client.kept(3))).toEqual([1, 2, 3]);
  });

  test('misses and repeats nothing, however often it breaks under changes', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    const first = await subscribe(plane, id);
    await setPercentage(plane, id, 0.5);
    let since = (await first.kept(1)).at(-1)!.id as string;
    const wanted = Array.from({ length: 60 }, (_, i) => i + 1);
    const changing = (async () => {
      for (const percentage of wanted) await setPercentage(plane, id, percentage);
    })();
    const got: number[] = [];
    while (got.length < wanted.length) {
      const client = await subscribe(plane, id, `?since=${since}`);
      await client.kept(1);
      client.socket.terminate();
      await client.closed;
      const frames = await client.kept(1);
      got.push(...percentages(frames));
      since = frames.at(-1)!.id as string;
    }
    await changing;
    expect(got).toEqual(wanted);
  });

  test('with a long past is not taken for a slow one', async () => {
    const plane = await startPlane({ eventStream: { bufferedBytesMax: 1000 } });
    const id = await created(plane);
    const deployment = (await plane.store.getDeployment(id))!;
    const events = Array.from({ length: 2000 }, (_, i) => ({
      id: `event_${i}`,
      deploymentId: id,
      type: 'percentage_updated' as const,
      message: '',
      timestamp: i,
      actor: 'ops',
      data: { old_percentage: 0, new_percentage: i },
    }));
    await plane.store.saveDeployment({
      deployment: { ...deployment, version: 2 },
      expectedVersion: 1,
      events,
    });
    const client = await subscribe(plane, id, '?since=event_nothing');
    expect(percentages(await client.kept(2000))).toEqual(events.map((_, i) => i));
    await setPercentage(plane, id, 42);
    expect(percentages(await client.kept(2001)).at(-1)).toBe(42);
  });
});
