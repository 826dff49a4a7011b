import { randomUUID } from 'node:crypto';
import type { Clock } from '../../src/core/clock.ts';
import type { Deployment, DeploymentEvent } from '../../src/core/deployment.ts';
import { evaluateHealth, type HealthReport } from '../../src/core/health.ts';
import { gather, openEvidence, type Evidence } from '../../src/core/judge/evidence.ts';
import type { Judgement } from '../../src/core/judge/judgement.ts';
import { nextAction } from '../../src/core/judge/next-action.ts';
import type { Logger } from '../../src/runtime/log.ts';
import { startPeriodic } from '../../src/runtime/periodic.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import { event } from '../deployment-changes.ts';
import type { DeploymentService } from '../deployments.ts';
import { sideBySide } from '../side-by-side.ts';
import { noticesOf } from '../webhooks/notices.ts';
import type { Webhook } from '../webhooks/webhook.ts';
import { carryOut, isOutage, JUDGE, note, type Step } from './actions.ts';
import { checksOf, explain } from './explanation.ts';
import type { JudgeLease } from './lease.ts';
import { createWindows, type Windows } from './windows.ts';

/**
 * Looks at every open deployment at each tick: reads what became of its jobs, gathers evidence, judges, acts. What is
 * decided is decided in `src/core/judge`; this file only carries it there and back. Whatever fails for one deployment
 * is tried again at the next tick and keeps nobody else waiting.
 */
export interface Judge {
  /**
   * One look at all of them, if this instance has the lease. What it decides is begun, not done, when it resolves.
   * @throws LanewiseError if the deployments cannot be listed
   */
  tick(): Promise<void>;
  /** Resolves when all that was decided is done, or has failed. */
  settled(): Promise<void>;
  /** What was last made of each open deployment, while this instance judges. */
  latest(): Iterable<readonly [Deployment, Judgement]>;
  isJudging(): boolean;
  /** When all deployments were last looked at, milliseconds since the epoch; undefined before the first time. */
  lastTickAt(): number | undefined;
}

export interface RunningJudge extends Judge {
  /** Resolves when what is under way has ended. */
  stop(): Promise<void>;
}

type JudgedStore = Pick<
  Store,
  'listDeployments' | 'readStep' | 'readTelemetry' | 'readJudgement' | 'saveJudgement'
>;

export interface JudgeOptions {
  readonly store: JudgedStore;
  readonly deployments: Pick<DeploymentService, 'change'>;
  readonly lease: Pick<JudgeLease, 'fence'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** Chance of ever rolling back a canary that is within its thresholds. */
  readonly alpha: number;
  readonly webhooks: readonly Pick<Webhook, 'name' | 'kinds'>[];
}

/**
 * Deployments looked at side by side: enough to keep a store busy that takes a millisecond or two, and few enough that an
 * API call waits behind some milliseconds of their work, not behind all of it.
 */
const LOOKS_AT_ONCE = 8;

interface Known {
  readonly deployment: Deployment;
  readonly judgement: Judgement;
}

/** Of the interval: what lies at least between two ticks, however long they take. */
const REST = 0.1;

/** Ticks by itself. @param intervalMs from the beginning of one tick to that of the next */
export function startJudge({
  intervalMs,
  ...options
}: JudgeOptions & { readonly intervalMs: number }): RunningJudge {
  const { clock, log } = options;
  const judge = createJudge(options);
  let tookMs = 0;
  const rounds = startPeriodic(
    () => Math.max(REST * intervalMs, intervalMs - tookMs),
    async () => {
      const startedAt = clock.monotonic();
      try {
        await judge.tick();
      } catch (error) {
        const message = 'the deployments could not be read; the judge looks again';
        log[isOutage(error) ? 'debug' : 'error']({ err: error }, message);
      }
      tookMs = clock.monotonic() - startedAt;
    },
  );
  return {
    ...judge,
    async stop() {
      await rounds.stop();
      await judge.settled();
    },
  };
}

export function createJudge(options: JudgeOptions): Judge {
  const { store, lease, clock, log } = options;
  const windows = createWindows(store, options.random);
  const acting = new Map<string, Promise<void>>();
  let known = new Map<string, Known>();
  /** Under which `known` was gathered. */
  let fence: number | undefined;
  let lastTickAt: number | undefined;

  const look = async (deployment: Deployment, own: number): Promise<void> => {
    const { id } = deployment;
    const before = known.get(id)?.judgement ?? (await readBefore(deployment, options));
    const seen = await lookAt(deployment, before, windows, options);
    const action = nextAction(deployment, seen.health, clock.now());
    const judgement = judgementOf(deployment, seen);
    if (isNews(before, judgement)) {
      const saved = await save(deployment, before, judgement, seen.health, own, options);
      if (!saved) return void known.delete(id);
    }
    known.set(id, { deployment, judgement });
    if (action.kind !== 'none') act(deployment, action, seen, own);
  };

  const act = (judged: Deployment, step: Step, { health, evidence }: Seen, own: number): void => {
    const { id } = judged;
    if (acting.has(id)) return;
    // Nobody waits for the proxies: the other deployments have their turn.
    const explanation = { fence: own, ...explain(health, evidence) };
    const decision = { judged, step, explanation, fence: own };
    acting.set(
      id,
      carryOut(decision, options).finally(() => acting.delete(id)),
    );
  };

  return {
    async tick() {
      const own = lease.fence();
      if (own === undefined || own !== fence) known = new Map();
      fence = own;
      if (own === undefined) return;
      const open = await store.listDeployments({ status: ['active', 'paused'] });
      const ids = new Set(open.map(({ id }) => id));
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
      windows.keepOnly(ids);
      await sideBySide(LOOKS_AT_ONCE, open, async (deployment) => {
        try {
          await look(deployment, own);
        } catch (error) {
          note(log, deployment, error, 'a deployment could not be judged');
        }
      });
      lastTickAt = clock.now();
    },
    async settled() {
      await Promise.all(acting.values());
    },
    *latest() {
      for (const { deployment, judgement } of known.values()) yield [deployment, judgement];
    },
    isJudging: () => lease.fence() !== undefined,
    lastTickAt: () => lastTickAt,
  };
}

/** What this instance, or the one before it, made of a deployment when it last looked. */
async function readBefore({ id }: Deployment, { store, log }: JudgeOptions): Promise<Judgement | undefined> {
  try {
    return await store.readJudgement(id);
  } catch (error) {
    if (isOutage(error)) throw error;
    // Nobody will ever read it, so a canary that is judged from now on is better than one that never is.
    log.warn(
      { err: error, deployment: id },
      'a judgement is damaged; the judge starts over with this deployment',
    );
    return undefined;
  }
}

interface Seen {
  readonly evidence: Evidence;
  readonly health: HealthReport;
  /** By the store's clock. */
  readonly at: number;
}

async function lookAt(
  deployment: Deployment,
  before: Judgement | undefined,
  windows: Windows,
  { store, clock, random, alpha }: JudgeOptions,
): Promise<Seen> {
  const { id, step, config } = deployment;
  const { lanes: totals, at } = await store.readStep(id, step);
  const evidence = gather(before?.evidence ?? openEvidence(step, at), { step, totals, at, random }, config);
  const now = clock.now();
  const evaluate = async (isFresh: boolean): Promise<HealthReport> => {
    const window = await windows.read(deployment, totals, now, isFresh);
    return evaluateHealth(deployment, window, evidence, alpha, now);
  };
  const health = await evaluate(config.analysis === 'threshold');
  // Nothing is done by a window that is a few seconds old.
  const isDecisive = health.causes.length > 0 || nextAction(deployment, health, now).kind !== 'none';
  return { evidence, health: isDecisive ? await evaluate(true) : health, at };
}

function judgementOf({ step }: Deployment, { health, evidence, at }: Seen): Judgement {
  return { step, status: health.overallStatus, checks: checksOf(health), evaluatedAt: at, evidence };
}

/** While no job comes and nothing changes, there is nothing to keep. */
function isNews(before: Judgement | undefined, { status, step, evidence }: Judgement): boolean {
  if (before === undefined || before.status !== status || before.step !== step) return true;
  const [was, is] = [before.evidence.routed.at(-1), evidence.routed.at(-1)];
  return (
    was?.stable !== is?.stable ||
    was?.canary !== is?.canary ||
    before.evidence.at !== evidence.at ||
    before.evidence.completion.canary.due !== evidence.completion.canary.due
  );
}

async function save(
  deployment: Deployment,
  before: Judgement | undefined,
  judgement: Judgement,
  health: HealthReport,
  fence: number,
  { store, clock, log, webhooks }: JudgeOptions,
): Promise<boolean> {
  const told = { fence, ...explain(health, judgement.evidence) };
  const events = healthEvents(deployment, before, judgement, health, { now: clock.now(), told });
  const saved = await store.saveJudgement({
    deploymentId: deployment.id,
    judgement,
    fence,
    events,
    notices: noticesOf(deployment, events, webhooks),
  });
  if (saved) {
    for (const { type, message } of events) {
      log.info({ deployment: deployment.id, queue: deployment.queue, type, actor: JUDGE.name }, message);
    }
  }
  return saved;
}

/** What is proven is told of, and when it no longer holds; a warning is a suspicion and comes and goes. */
function healthEvents(
  deployment: Deployment,
  before: Judgement | undefined,
  { status }: Judgement,
  health: HealthReport,
  { now, told }: { readonly now: number; readonly told: Readonly<Record<string, unknown>> },
): readonly DeploymentEvent[] {
  const old = before?.status ?? 'unknown';
  const failed = status === 'failing';
  if (failed === (old === 'failing')) return [];
  const message = failed
    ? health.causes.map((cause) => cause.message).join('; ')
    : `No longer failing: ${health.errorRate.message}`;
  const data = { old_health: old, new_health: status, ...told };
  const circumstances = { now, actor: JUDGE.name, newId: randomUUID };
  const type = failed ? 'health_check_failed' : 'health_check_recovered';
  return [event(deployment, circumstances, type, message, data)];
}
