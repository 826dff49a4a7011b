import { afterAll, describe, expect, test } from 'vitest';
import { laneNotes } from '../../../control/lanes/health-notes.ts';
import { sweepOf, watchLane, type Stillness, type SweptLane } from '../../../control/lanes/stranded.ts';
import type { Deployment } from '../../../src/core/deployment.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { LaneDepth } from '../../../src/runtime/store/lane-store.ts';
import { laneSettingsOf } from '../../../config/lane-queues.ts';
import { aConsumer, takeOne } from '../../runtime/store/lane-fixture.ts';
import { aDeployment } from '../../runtime/store/samples.ts';
import { closeRedis, embedded } from '../judge/court.ts';
import { ids, KINDS, openRig, QUEUE, STRATEGIES } from './rig.ts';
import { until } from '../../helpers/patience.ts';

afterAll(closeRedis);

const NOW = 1_000_000;
const AFTER = 60_000;

function lane(over: Partial<LaneDepth> = {}): LaneDepth {
  return { waiting: 5, delayed: 0, inFlight: 0, oldestAgeMs: 90_000, ...over };
}

function still(over: Partial<Stillness> = {}): Stillness {
  return { since: NOW - AFTER, waiting: 5, frontAt: NOW - 90_000, ...over };
}

describe('a lane stands still since', () => {
  test.each<[string, Stillness | undefined, LaneDepth, number | undefined]>([
    ['now, seen for the first time', undefined, lane(), NOW],
    ['before, if nothing has moved', still(), lane(), NOW - AFTER],
    ['before, if it has only grown', still(), lane({ waiting: 9 }), NOW - AFTER],
    ['before, if an older job came back to the front', still(), lane({ oldestAgeMs: 95_000 }), NOW - AFTER],
    [
      'before, if its front moved by no more than two clocks differ',
      still(),
      lane({ oldestAgeMs: 89_500 }),
      NOW - AFTER,
    ],
    ['now, if its front has moved', still(), lane({ oldestAgeMs: 80_000 }), NOW],
    ['now, if it is shorter', still(), lane({ waiting: 4 }), NOW],
    ['now, if somebody has a job of it', still(), lane({ inFlight: 1 }), NOW],
    [
      'before, if its jobs do not say when they came',
      still({ frontAt: null }),
      lane({ oldestAgeMs: null }),
      NOW - AFTER,
    ],
    ['never, if nothing waits', still(), lane({ waiting: 0, oldestAgeMs: null }), undefined],
  ])('%s', (_name, before, depth, since) => {
    expect(watchLane(before, depth, NOW)?.since).toBe(since);
  });
});

describe('what is to be done with a canary lane', () => {
  const open = (fallback: 'stable' | 'none') => ({ config: { ...aDeployment().config, fallback } });
  const swept = (over: Partial<SweptLane> = {}): SweptLane => ({
    canary: lane(),
    stillness: still(),
    open: [open('stable')],
    isDraining: false,
    strandedAfterMs: AFTER,
    ...over,
  });

  test.each<[string, Partial<SweptLane>, ReturnType<typeof sweepOf>]>([
    ['a deserted one is emptied', {}, 'stranded'],
    ['one that moved lately is not', { stillness: still({ since: NOW - AFTER + 1 }) }, 'none'],
    ['one whose oldest job is young is not', { canary: lane({ oldestAgeMs: AFTER - 1 }) }, 'none'],
    ['raw jobs go by the stillness alone', { canary: lane({ oldestAgeMs: null }) }, 'stranded'],
    ['an empty one is left alone', { canary: lane({ waiting: 0 }), stillness: undefined }, 'none'],
    ['fallback: none keeps them where they are', { open: [open('none')] }, 'none'],
    ['of several deployments the strictest decides', { open: [open('stable'), open('none')] }, 'none'],
    ['without a deployment whatever is there is late', { open: [], stillness: undefined }, 'late'],
    ['delayed jobs as well', { open: [], canary: lane({ waiting: 0, delayed: 1 }) }, 'late'],
    ['jobs in work are waited for', { open: [], canary: lane({ waiting: 0, inFlight: 1 }) }, 'none'],
    ['a lane that is being drained is the drainer’s', { open: [], isDraining: true }, 'none'],
    ['but not if it is kept for another deployment', { isDraining: true }, 'stranded'],
  ])('%s', (_name, over, sweep) => {
    expect(sweepOf(swept(over), NOW)).toBe(sweep);
  });
});

describe('the notes of a deployment’s health', () => {
  const dead = 0;
  const reading = (canary: LaneDepth) => ({
    kind: 'read' as const,
    depths: { lanes: { stable: lane(), canary }, dead },
  });
  const deployment: Deployment = { ...aDeployment(), canaryVersion: 'v1.3.0' };

  test('say who waits, for how long, and what becomes of it', () => {
    const told = laneNotes(deployment, reading(lane({ oldestAgeMs: 130_400 })), AFTER);
    expect(told).toEqual([
      '5 jobs in the canary lane wait for a worker of v1.3.0, the oldest for 2m10s, and none is in work; ' +
        'they are due to go to stable unless somebody takes them',
    ]);
    const strict = { ...deployment, config: { ...deployment.config, fallback: 'none' as const } };
    expect(laneNotes(strict, reading(lane()), AFTER)[0]).toContain('fallback is none, so they stay');
  });

  test('say what went to stable', () => {
    const stranded = { moved: 37, lastAt: Date.UTC(2026, 0) };
    expect(laneNotes({ ...deployment, stranded }, undefined, AFTER)).toEqual([
      '37 jobs that nobody took within 1m0s went to stable, last at 2026-01-01T00:00:00Z',
    ]);
  });

  test('say why the lanes cannot be read', () => {
    expect(laneNotes(deployment, { kind: 'unusable', problem: 'the key is a set' }, AFTER)).toEqual([
      'the lanes cannot be read: the key is a set',
    ]);
  });

  test.each([
    ['nothing waits', lane({ waiting: 0, oldestAgeMs: null })],
    ['a job is in work', lane({ inFlight: 1 })],
    ['it has not been long', lane({ oldestAgeMs: AFTER - 1 })],
    ['the jobs do not say', lane({ oldestAgeMs: null })],
  ])('say nothing where %s', (_name, canary) => {
    expect(laneNotes(deployment, reading(canary), AFTER)).toEqual([]);
  });
});

const SOON = { [QUEUE]: { ...laneSettingsOf({}, QUEUE), stranded_after: 20 } };

describe.each(KINDS)('jobs that nobody takes, $strategy on the $store store', (kind) => {
  test('go to stable, are counted, and the health says so', async () => {
    const rig = await openRig(kind, { clock: systemClock, queues: SOON });
    const id = await rig.deploy();
    await rig.lease.claim();
    const jobs = await rig.put('canary', 1200, { enqueuedAt: Date.now() - 600_000 });
    const before = await rig.control.call('GET', `/deployments/${id}/health`);
    expect(before.body.notes).toEqual([expect.stringMatching(/^1200 jobs in the canary lane wait/)]);
    await until(async () => {
      await rig.lease.claim();
      await rig.survey.tick();
      return rig.survey.counts.stranded.get(QUEUE) === 1200;
    });
    expect(await rig.takeAll('stable')).toEqual(ids(jobs));
    const { body } = await rig.control.call('GET', `/deployments/${id}/health`);
    expect(body.notes).toEqual([
      expect.stringMatching(/^1200 jobs that nobody took within \S+ went to stable, last at/),
    ]);
    expect(await rig.status(id)).toBe('active');
  });

  test('are those of a dead consumer too', async () => {
    const rig = await openRig(kind, { clock: systemClock, queues: SOON });
    await rig.deploy();
    await rig.put('canary', 1, { enqueuedAt: Date.now() - 600_000 });
    await takeOne(aConsumer(rig.calm, 30), rig.lanes, 'canary');
    await until(async () => {
      await rig.lease.claim();
      await rig.survey.tick();
      return rig.survey.counts.stranded.get(QUEUE) === 1;
    });
    expect(await rig.counts('stable')).toMatchObject({ waiting: 1 });
  });
});

describe.each(STRATEGIES)('by a clock that the test moves, %s', (strategy) => {
  const kind = { open: embedded, strategy };
  const look = async (rig: Awaited<ReturnType<typeof openRig>>, looks: number): Promise<void> => {
    for (let i = 0; i < looks; i++) {
      for (let second = 0; second < 5; second++) {
        rig.clock.pass(1000);
        await rig.lease.claim();
      }
      await rig.survey.tick();
    }
  };

  test('a lane is left alone until it has stood still for stranded_after', async () => {
    const rig = await openRig(kind);
    await rig.deploy();
    await rig.put('canary', 3, { enqueuedAt: rig.clock.now() });
    await look(rig, 12);
    expect(await rig.counts('canary')).toMatchObject({ waiting: 3 });
    await look(rig, 1);
    expect(await rig.counts('stable')).toMatchObject({ waiting: 3 });
  });

  test('a backlog that somebody works off is left alone, however old it is', async () => {
    const rig = await openRig(kind);
    await rig.deploy();
    await rig.put('canary', 50, { enqueuedAt: rig.clock.now() - 3_600_000 });
    const consumer = aConsumer(rig.calm);
    for (let i = 0; i < 30; i++) {
      await look(rig, 1);
      await consumer.acknowledge(await takeOne(consumer, rig.lanes, 'canary'));
    }
    expect(await rig.counts('stable')).toMatchObject({ waiting: 0 });
    expect(await rig.counts('canary')).toMatchObject({ waiting: 20 });
  });

  test('with fallback: none they stay', async () => {
    const rig = await openRig(kind);
    await rig.deploy({ fallback: 'none' });
    await rig.put('canary', 3, { enqueuedAt: rig.clock.now() });
    await look(rig, 30);
    expect(await rig.counts('canary')).toMatchObject({ waiting: 3 });
  });
});
