import { expect } from 'vitest';
import { createDrain, type Drain } from '../../../control/lanes/drain.ts';
import { createDrainer, type Drainer } from '../../../control/lanes/drainer.ts';
import { createQueueCatalog, type QueueSettings } from '../../../control/lanes/queue-catalog.ts';
import { createLaneSurvey, type LaneSurvey } from '../../../control/lanes/survey.ts';
import { createJudgeLease, type JudgeLease } from '../../../control/judge/lease.ts';
import { laneSettingsOf } from '../../../config/lane-queues.ts';
import type { Clock } from '../../../src/core/clock.ts';
import type { DeploymentEvent } from '../../../src/core/deployment.ts';
import type { LaneQueue } from '../../../src/core/lane-keys.ts';
import type { Lane } from '../../../src/core/lane.ts';
import type { QueueJob } from '../../../src/core/queue-job.ts';
import { createLog } from '../../../src/runtime/log.ts';
import type { LaneCounts, LaneStore } from '../../../src/runtime/store/lane-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { aConsumer, ids, idsOf, someJobs, takeNow } from '../../runtime/store/lane-fixture.ts';
import { created, openControl, type Control } from '../harness.ts';
import { STORES, TestClock, type Disturb } from '../judge/court.ts';

/** A control plane over a real store, its lanes, and those who look after them when the test says so. */

export const STRATEGIES = ['split_queue', 'stream_group'] as const;

/** Every store with both strategies. */
export const KINDS = STORES.flatMap(([store, open]) =>
  STRATEGIES.map((strategy) => ({ store, strategy, open })),
);
type Kind = (typeof KINDS)[number];

/** Has a hash tag, so that it may be on a Cluster; and must be escaped in a path. */
export const QUEUE = '{payments}';

export interface Instance {
  readonly drain: Drain;
  readonly drainer: Drainer;
  readonly survey: LaneSurvey;
  readonly lease: JudgeLease;
}

export interface LaneRig extends Instance {
  readonly control: Control;
  readonly clock: TestClock;
  /** What the control plane and the instances see, disturbed if the test says so. */
  readonly store: Store;
  /** The same without disturbance. */
  readonly calm: Store;
  readonly lanes: LaneQueue;
  /** Another one over the same store. */
  another(): Instance;
  /** A deployment at 50 %. @returns its id */
  deploy(body?: object): Promise<string>;
  /** Jobs in a lane, as a proxy enqueues them that knows the newest routes. */
  put(lane: Lane, count: number, over?: Partial<QueueJob>): Promise<QueueJob[]>;
  /** Ids that wait in a lane, in order; they are taken. */
  takeAll(lane: Lane): Promise<string[]>;
  counts(lane: Lane): Promise<LaneCounts>;
  status(id: string): Promise<string>;
  /** Newest first. */
  events(id: string): Promise<readonly DeploymentEvent[]>;
  /** A second and a look of the drainer, so many times. */
  pass(looks?: number): Promise<void>;
}

export interface RigOptions {
  readonly disturb?: Disturb;
  readonly queues?: Readonly<Record<string, QueueSettings>>;
  readonly clock?: Clock;
}

export async function openRig(
  { open, strategy }: Pick<Kind, 'open' | 'strategy'>,
  { disturb = () => ({}), queues = {}, clock: given }: RigOptions = {},
): Promise<LaneRig> {
  const own = new TestClock();
  const clock = given ?? own;
  const calm = await open(clock);
  const store: Store = { ...calm, ...disturb(calm) };
  const log = createLog('silent');
  const control = await openControl({ store, clock, queues, propagationWaitMs: 0 });
  const catalog = createQueueCatalog({ store, queues, strategyDefault: 'split_queue' });
  const lanes = catalog.lanesOf(QUEUE, strategy)!;

  let instances = 0;
  const openInstance = (): Instance => {
    const lease = createJudgeLease({ store, clock, log, holder: `instance-${++instances}` });
    const drain = createDrain({ store, catalog, clock, log });
    const common = { store, catalog, drain, deployments: control.deployments, lease, clock, log };
    const strandedAfterMs = (queue: string): number => laneSettingsOf(queues, queue).stranded_after;
    return {
      drain,
      lease,
      drainer: createDrainer(common),
      survey: createLaneSurvey({ ...common, strandedAfterMs }),
    };
  };
  const instance = openInstance();

  return {
    ...instance,
    control,
    clock: own,
    store,
    calm,
    lanes,
    another: openInstance,
    deploy: (body = {}) =>
      created(control, {
        queue_name: QUEUE,
        routing_strategy: strategy,
        initial_percentage: 50,
        ...body,
      }),
    async put(lane, count, over = {}) {
      const jobs = someJobs(count, { lane, ...over });
      const routedBy = await calm.readHead();
      for (let i = 0; i < count; i += 1000) {
        const result = await calm.enqueueJobs(lanes, jobs.slice(i, i + 1000), { routedBy });
        expect(result.kind).toBe('stored');
      }
      return jobs;
    },
    takeAll: (lane) => takeAll(calm, lanes, lane),
    async counts(lane) {
      const { waiting, delayed, inFlight } = (await calm.readDepths(lanes)).lanes[lane];
      return { waiting, delayed, inFlight };
    },
    async status(id) {
      return (await calm.getDeployment(id))!.status;
    },
    events: (id) => calm.listEvents(id),
    async pass(looks = 1) {
      for (let i = 0; i < looks; i++) {
        own.pass(1000);
        await instance.lease.claim();
        await instance.drainer.tick();
      }
    },
  };
}

export async function takeAll(store: LaneStore, lanes: LaneQueue, lane: Lane): Promise<string[]> {
  const consumer = aConsumer(store);
  const found: string[] = [];
  for (;;) {
    const taken = await takeNow(consumer, lanes, lane);
    if (taken.length === 0) return found;
    found.push(...idsOf(taken));
  }
}

/** A promotion or a rollback over the API. */
export function decide(
  { control }: Pick<LaneRig, 'control'>,
  id: string,
  action: 'promote' | 'rollback',
): ReturnType<Control['call']> {
  return control.call('POST', `/deployments/${id}/${action}`);
}

export { ids };
