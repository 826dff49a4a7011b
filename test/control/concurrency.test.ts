import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { openRedisStore } from '../../src/runtime/store/redis/redis-store.ts';
import { startRedis } from '../helpers/redis.ts';
import { created, openControl, type Answer, type Control } from './harness.ts';

/** A small generator with a seed, so that a failure can be run again. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Sent {
  readonly action: string;
  readonly answer: Answer;
}

async function openPlanes(kind: 'embedded' | 'redis'): Promise<[Control, ...Control[]]> {
  if (kind === 'embedded') {
    const first = await openControl();
    return [first, await openControl({ store: first.store })];
  }
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const open = () =>
    openControl({ store: openRedisStore({ url: redis.url, clock: systemClock, log: createLog('silent') }) });
  return [await open(), await open()];
}

// Two control planes on one store: within one, changes take turns; between them only compare-and-set keeps order.
test.each([
  { kind: 'embedded', seed: 1 },
  { kind: 'embedded', seed: 2 },
  { kind: 'redis', seed: 3 },
  { kind: 'redis', seed: 4 },
] as const)(
  '200 operators at once lose no update, and one ending wins ($kind, seed $seed)',
  async ({ kind, seed }) => {
    const below = seeded(seed);
    const planes = await openPlanes(kind);
    const [first] = planes;
    const id = await created(first);

    const send = async (i: number): Promise<Sent> => {
      const plane = planes[i % planes.length]!;
      const dice = below(20);
      const action =
        dice < 14 ? 'percentage' : (['pause', 'resume', 'promote', 'rollback'] as const)[dice % 4]!;
      const answer =
        action === 'percentage'
          ? await plane.call('PUT', `/deployments/${id}/percentage`, { percentage: below(101) })
          : await plane.call('POST', `/deployments/${id}/${action}`);
      return { action, answer };
    };
    const sent = await Promise.all(Array.from({ length: 200 }, (_, i) => send(i)));
    for (const ending of ['promote', 'rollback']) {
      const answer = await first.call('POST', `/deployments/${id}/${ending}`);
      sent.push({ action: ending, answer });
    }

    for (const { answer } of sent) {
      if (answer.status !== 200) expect(answer.body.code).toBe('DEPLOYMENT_NOT_ACTIVE');
    }
    const succeeded = sent.filter(({ answer }) => answer.status === 200);
    const endings = succeeded.filter(({ action }) => action === 'promote' || action === 'rollback');
    // Only a promotion that is not over yet can be taken back.
    expect(endings.length).toBeLessThanOrEqual(2);
    expect(new Set(endings.map(({ action }) => action)).size).toBe(endings.length);

    // Every change that was answered with success, and no other, has left its event and its version; so has the end.
    const { body } = await first.call('GET', `/deployments/${id}/events`);
    expect(body.count).toBe(succeeded.length + 2);
    const stored = await first.store.getDeployment(id);
    expect(stored?.version).toBe(succeeded.length + 2);

    // Told from the oldest on, the events are one unbroken story that ends in the stored state.
    let percentage = 0;
    for (const { type, data } of body.events.toReversed()) {
      if (type !== 'percentage_updated') continue;
      expect(data.old_percentage).toBe(percentage);
      percentage = data.new_percentage as number;
    }
    const [drained, ending] = body.events;
    const promoted = ending.type === 'deployment_promoted';
    expect(drained.type).toBe('lane_drained');
    if (!promoted) expect(ending.type).toBe('deployment_rolled_back');
    expect(ending.data.old_percentage).toBe(endings.length === 2 ? 100 : percentage);
    expect(stored).toMatchObject({
      status: promoted ? 'completed' : 'failed',
      currentPercent: promoted ? 100 : 0,
    });
    const route = await first.store.getRoute('payment-processing');
    expect(route?.stableVersion).toBe(promoted ? 'v1.3.0' : 'v1.2.0');
    expect(route).not.toHaveProperty('split');
  },
);

test('of many who create a deployment for one queue at once, one does', async () => {
  const first = await openControl();
  const second = await openControl({ store: first.store });
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      [first, second][i % 2]!.call('POST', '/deployments', {
        queue_name: 'q',
        stable_version: 'v1',
        canary_version: 'v2',
      }),
    ),
  );
  expect(answers.filter((a) => a.status === 201)).toHaveLength(1);
  expect(answers.filter((a) => a.body.code === 'DEPLOYMENT_EXISTS')).toHaveLength(29);
  expect((await first.call('GET', '/deployments')).body.count).toBe(1);
});

test('of many who create deployments at once, no more are admitted than the limit says', async () => {
  const control = await openControl({ maxActiveDeployments: 5 });
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      control.call('POST', '/deployments', {
        queue_name: `q${i}`,
        stable_version: 'v1',
        canary_version: 'v2',
      }),
    ),
  );
  expect(answers.filter((a) => a.status === 201)).toHaveLength(5);
  expect(answers.filter((a) => a.body.code === 'CONCURRENCY_LIMIT')).toHaveLength(15);
});

test('delete and rollback at once: the deployment is failed before it is gone, or the delete is refused', async () => {
  const control = await openControl();
  const id = await created(control);
  const [rollback, remove] = await Promise.all([
    control.call('POST', `/deployments/${id}/rollback`),
    control.call('DELETE', `/deployments/${id}`),
  ]);
  expect(rollback.status).toBe(200);
  expect([204, 409]).toContain(remove.status);
  const left = await control.call('GET', `/deployments/${id}`);
  expect(left.status).toBe(remove.status === 204 ? 404 : 200);
});
