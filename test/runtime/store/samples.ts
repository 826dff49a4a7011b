import type { Deployment, DeploymentEvent } from '../../../src/core/deployment.ts';
import { openEvidence } from '../../../src/core/judge/evidence.ts';
import type { Judgement } from '../../../src/core/judge/judgement.ts';
import { openSplit, promoted, withPercentage } from '../../../src/core/route.ts';
import { NO_WORKER_METRICS, type Worker } from '../../../src/core/worker.ts';
import type { CreateResult, SaveResult, Store } from '../../../src/runtime/store/store.ts';

let made = 0;

export function aDeployment(over: Partial<Deployment> = {}): Deployment {
  made += 1;
  return {
    id: `canary_${made}`,
    version: 1,
    queue: 'payments',
    stableVersion: 'v1.2.0',
    canaryVersion: 'v1.3.0',
    currentPercent: 12.25,
    targetPercent: 100,
    status: 'active',
    startTime: 1_700_000_000_000 + made,
    lastUpdate: 1_700_000_000_000,
    step: 1,
    activeFrom: 0,
    stepFrom: 0,
    config: {
      routingStrategy: 'hash_ring',
      stickyRouting: true,
      autoPromotion: false,
      maxCanaryDurationMs: 7_200_000,
      minCanaryDurationMs: 300_000,
      drainTimeoutMs: 60_000,
      metricsWindowMs: 300_000,
      fallback: 'stable',
      autoRollback: true,
      analysis: 'sequential',
      stages: [],
      retryOnStable: false,
      requiredKeys: 0,
      rollbackThresholds: {
        maxErrorRateIncrease: 5,
        maxLatencyIncrease: 50,
        maxThroughputDecrease: 20,
        minSuccessRate: 95,
        requiredSampleSize: 20,
      },
    },
    createdBy: 'ops',
    // What a store that takes JSON apart would spoil.
    metadata: { empty: [], nothing: {}, ratio: 0.1, big: 9_007_199_254_740_991, text: 'ä "quoted"\n☃ 1 2' },
    ...over,
  };
}

export function anEvent(deploymentId: string, message: string): DeploymentEvent {
  return {
    id: `event_${message}`,
    deploymentId,
    type: 'percentage_updated',
    message,
    timestamp: 1_700_000_000_000,
    actor: 'ops',
    data: { reasons: [] },
  };
}

export function aJudgement(over: Partial<Judgement> = {}): Judgement {
  const evidence = openEvidence(1, 1_700_000_000_000);
  return {
    step: 1,
    status: 'healthy',
    checks: { error_rate: true, latency: true, throughput: true, sample_size: false, duration: false },
    evaluatedAt: 1_700_000_000_123,
    evidence: { ...evidence, successRate: { carried: 0, now: -12.345678901234567 } },
    ...over,
  };
}

/** The fence of a lease that is free. */
export async function leaseOf(store: Store, holder: string, ttlMs = 60_000): Promise<number> {
  const fence = await store.claimJudgeLease(holder, ttlMs);
  if (fence === undefined) throw new Error('somebody else has the lease');
  return fence;
}

export function aWorker(over: Partial<Worker> = {}): Worker {
  made += 1;
  return {
    id: `worker-${made}`,
    recordVersion: 1,
    version: 'v1.2.0',
    lane: 'stable',
    queues: ['payments'],
    url: 'http://127.0.0.1:3000',
    weight: 1,
    status: 'healthy',
    registeredAt: 1_700_000_000_000,
    lastSeen: 1_700_000_000_000,
    metrics: NO_WORKER_METRICS,
    ...over,
  };
}

/** Opens a deployment on the scope's present route. */
export async function create(store: Store, deployment: Deployment, openMax = 1_000): Promise<CreateResult> {
  const previous = await store.getRoute(deployment.queue, deployment.tenant);
  return store.createDeployment({
    deployment,
    route: openSplit(previous, deployment),
    basedOnRevision: previous?.revision ?? 0,
    events: [anEvent(deployment.id, 'created')],
    openMax,
  });
}

export async function setPercentage(store: Store, from: Deployment, percent: number): Promise<SaveResult> {
  const route = await store.getRoute(from.queue, from.tenant);
  if (route === undefined) throw new Error(`no route for ${from.queue}`);
  return store.saveDeployment({
    deployment: { ...from, version: from.version + 1, currentPercent: percent },
    expectedVersion: from.version,
    route: withPercentage(route, percent, from.step + 1),
    events: [anEvent(from.id, `to ${percent}`)],
  });
}

/** Ends it as completed and returns the ended record. */
export async function promote(store: Store, from: Deployment): Promise<Deployment> {
  const route = await store.getRoute(from.queue, from.tenant);
  if (route === undefined) throw new Error(`no route for ${from.queue}`);
  const deployment: Deployment = { ...from, version: from.version + 1, status: 'completed' };
  const saved = await store.saveDeployment({
    deployment,
    expectedVersion: from.version,
    route: promoted(route),
    events: [],
  });
  if (saved.kind !== 'saved') throw new Error('the promotion came too late');
  return deployment;
}
