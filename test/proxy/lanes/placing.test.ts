import { describe, expect, it, test } from 'vitest';
import { placeJob, type WorkersView } from '../../../proxy/lanes/placing.ts';
import { servedLanes } from '../../../proxy/lanes/served-lanes.ts';
import { laneQueueOf } from '../../../config/lane-queues.ts';
import { hashKey } from '../../../src/core/hash.ts';
import type { Lane } from '../../../src/core/lane.ts';
import { openSplit, promoted, rolledBack, type Route } from '../../../src/core/route.ts';
import { RoutingTable } from '../../../src/core/routing-table.ts';
import { BOUNDED_LOAD_DEFAULT } from '../../../src/core/pool.ts';
import type { RoutedWorker } from '../../../src/core/worker.ts';
import { deploymentOf, endpointOf, workerOf, type TestEndpoint } from '../../core/fixtures.ts';

/** Workers by name: what is before the dash is the version, `-native` ones have no url. */
function tableOf(route: Route | undefined, names: readonly string[], tenants: readonly Route[] = []) {
  const endpoints = new Map<string, TestEndpoint>();
  const table = new RoutingTable<TestEndpoint>({
    endpointOf: (worker) => {
      const known = endpoints.get(worker.id) ?? {
        ...endpointOf(worker),
        takesJobs: worker.url !== undefined && worker.status === 'healthy',
        usable: worker.url !== undefined && worker.status === 'healthy',
      };
      endpoints.set(worker.id, known);
      return known;
    },
    policyOf: () => ({
      strategy: undefined,
      strategyDefault: 'split_queue',
      laneOverride: false,
      boundedLoad: BOUNDED_LOAD_DEFAULT,
    }),
  });
  table.replace({
    epoch: 'e',
    revision: 1,
    routes: [...(route === undefined ? [] : [route]), ...tenants],
    workers: names.map(workerNamed),
  });
  return { table, endpoints };
}

function workerNamed(name: string): RoutedWorker {
  const [version = ''] = name.split('-');
  return workerOf(name, {
    version,
    ...(!name.includes('native') && { url: 'http://127.0.0.1:1' }),
    ...(name.includes('down') && { status: 'unhealthy' as const }),
  });
}

const CONFIG = { ...deploymentOf().config, routingStrategy: 'split_queue' } as const;
const SPLIT = openSplit(undefined, deploymentOf({ config: CONFIG }));
const STRICT = openSplit(undefined, deploymentOf({ config: { ...CONFIG, fallback: 'none' } }));
const OF_TENANT = openSplit(undefined, deploymentOf({ id: 'canary_2', tenant: 't', config: CONFIG }));
const PROMOTED = promoted(SPLIT);
const ROLLED_BACK = rolledBack(SPLIT);

interface Circumstances {
  readonly own?: string;
  readonly resting?: readonly string[];
  readonly full?: readonly string[];
}

function viewOf({ own, resting = [], full = [] }: Circumstances): WorkersView<TestEndpoint> {
  return {
    isOwn: (e) => own === undefined || e.worker.id === own,
    isReachable: (e) => !resting.includes(e.worker.id),
    hasRoom: (e) => !full.includes(e.worker.id),
  };
}

const PLACES: readonly [
  what: string,
  route: Route | undefined,
  workers: readonly string[],
  lane: Lane,
  circumstances: Circumstances,
  expected: string,
][] = [
  ['to its lane', SPLIT, ['v1-a', 'v2-a'], 'canary', {}, 'v2-a as canary'],
  ['to its lane', SPLIT, ['v1-a', 'v2-a'], 'stable', {}, 'v1-a as stable'],
  [
    'to stable, where no canary is usable',
    SPLIT,
    ['v1-a', 'v2-down'],
    'canary',
    {},
    'v1-a as stable, fallback',
  ],
  ['nowhere, where that is not wanted', STRICT, ['v1-a', 'v2-down'], 'canary', {}, 'nobody'],
  ['to the next of its lane', SPLIT, ['v2-a', 'v2-b'], 'canary', { full: ['v2-a'] }, 'v2-b as canary'],
  ['into no other lane while its own is full', SPLIT, ['v1-a', 'v2-a'], 'canary', { full: ['v2-a'] }, 'busy'],
  [
    'to stable, where the canaries refuse connections',
    SPLIT,
    ['v1-a', 'v2-a'],
    'canary',
    { resting: ['v2-a'] },
    'v1-a as stable, fallback',
  ],
  ['nowhere, where all do', SPLIT, ['v1-a'], 'stable', { resting: ['v1-a'] }, 'nobody, resting'],
  ['to none that reads the lane itself', SPLIT, ['v1-a', 'v2-native'], 'canary', {}, 'nobody'],
  ['after a promotion to the promoted', PROMOTED, ['v1-a', 'v2-a'], 'canary', {}, 'v2-a as stable'],
  ['after a promotion to the promoted', PROMOTED, ['v1-a', 'v2-a'], 'stable', {}, 'v2-a as stable'],
  [
    'and never to the old while those are full',
    PROMOTED,
    ['v1-a', 'v2-a'],
    'stable',
    { full: ['v2-a'] },
    'busy',
  ],
  ['nor while they read it themselves', PROMOTED, ['v1-a', 'v2-native'], 'stable', {}, 'nobody'],
  [
    'but to the old where no other lives',
    PROMOTED,
    ['v1-a', 'v2-down'],
    'stable',
    {},
    'v1-a as stable, fallback',
  ],
  ['after a roll-back to stable', ROLLED_BACK, ['v1-a', 'v2-a'], 'canary', {}, 'v1-a as stable'],
  ['after a roll-back never to the canary', ROLLED_BACK, ['v2-a'], 'canary', {}, 'nobody'],
  ['in a sidecar to its own', SPLIT, ['v1-a', 'v1-b'], 'stable', { own: 'v1-b' }, 'v1-b as stable'],
  ['in a sidecar not to others', SPLIT, ['v1-a', 'v2-a'], 'stable', { own: 'v2-a' }, 'nobody'],
  [
    'in a sidecar not to its own, where others are better',
    PROMOTED,
    ['v1-a', 'v2-a'],
    'stable',
    { own: 'v1-a' },
    'nobody',
  ],
];

test.each(PLACES)('a job goes %s', (_what, route, workers, lane, circumstances, expected) => {
  const { table } = tableOf(route, workers);
  const compiled = table.routeFor('q', undefined)!;
  for (const key of ['a', 'b', 'c', 'd']) {
    const placing = placeJob(compiled, lane, hashKey(key), () => 0.5, viewOf(circumstances), []);
    const words =
      placing.kind === 'placed'
        ? `${placing.placement.endpoint.worker.id} as ${placing.placement.lane}${placing.placement.fallback ? ', fallback' : ''}`
        : placing.kind === 'nobody' && placing.isResting
          ? 'nobody, resting'
          : placing.kind;
    expect(words).toBe(expected);
  }
});

const SERVED: readonly [
  what: string,
  route: Route | undefined,
  workers: readonly string[],
  own: string | undefined,
  expected: readonly string[],
][] = [
  ['both lanes', SPLIT, ['v1-a', 'v2-a'], undefined, ['stable: v1-a', 'canary: v2-a']],
  ['only those of its own worker', SPLIT, ['v1-a', 'v2-a'], 'v2-a', ['canary: v2-a']],
  ['no lane whose workers read it themselves', SPLIT, ['v1-a', 'v2-native'], undefined, ['stable: v1-a']],
  ['no canary lane that waits for its workers', SPLIT, ['v1-a'], undefined, ['stable: v1-a']],
  [
    'what is left over when the deployment has ended',
    PROMOTED,
    ['v1-a', 'v2-a'],
    undefined,
    ['stable: v2-a', 'canary: v2-a (left over)'],
  ],
  [
    'what is left over when it was rolled back',
    ROLLED_BACK,
    ['v1-a', 'v2-a'],
    undefined,
    ['stable: v1-a', 'canary: v1-a (left over)'],
  ],
  ['nothing for a version that is out', ROLLED_BACK, ['v1-a', 'v2-a'], 'v2-a', []],
  ['nothing for one that was replaced', PROMOTED, ['v1-a', 'v2-a'], 'v1-a', []],
  [
    'the lanes of one that was replaced, if no other lives',
    PROMOTED,
    ['v1-a', 'v2-down'],
    'v1-a',
    ['stable: v1-a', 'canary: v1-a (left over)'],
  ],
  ['nothing for those that read it themselves', undefined, ['v1-native'], undefined, []],
];

function lanesOf(table: RoutingTable<TestEndpoint>, own?: string): readonly string[] {
  const compiled = table.queues.get('q')!;
  return servedLanes(
    compiled,
    (name, strategy) => laneQueueOf({}, name, strategy),
    viewOf({ ...(own !== undefined && { own }) }).isOwn,
  ).map(
    ({ lane, workers, isLeftover }) =>
      `${lane}: ${workers.map((e) => e.worker.id).join(' ')}${isLeftover ? ' (left over)' : ''}`,
  );
}

test.each(SERVED)('a proxy reads %s', (_what, route, workers, own, expected) => {
  expect(lanesOf(tableOf(route, workers).table, own)).toEqual(expected);
});

describe('a proxy', () => {
  it("reads the canary's lane for the canary workers of a single tenant", () => {
    const { table } = tableOf(undefined, ['v1-a', 'v2-a'], [OF_TENANT]);
    expect(lanesOf(table)).toEqual(['stable: v1-a v2-a', 'canary: v2-a']);
  });

  it('reads no lanes where the strategy has none', () => {
    const route = openSplit(undefined, deploymentOf());
    expect(lanesOf(tableOf(route, ['v1-a', 'v2-a']).table)).toEqual([]);
  });
});
