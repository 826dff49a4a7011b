import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../fuzz/mutate.ts';
import type { JsonObject, Routing } from '../helpers/api.ts';
import type { ApiCalls } from './api-calls.ts';
import type { Epochs } from './epochs.ts';
import type { ProxyLives } from './invariants/rollbacks.ts';
import { checkEvents, type DeploymentView, type EventView } from './invariants/events.ts';
import type { Terms } from './invariants/judges.ts';
import { RollbackWindow } from './invariants/rollbacks.ts';
import type { Journal } from './journal.ts';
import type { RedisLosses } from './redis-faults.ts';
import { QUEUES, VERSIONS, type Scene } from './scene.ts';
import type { Violations } from './violations.ts';

/**
 * Whoever rolls out versions of one queue: deployment after deployment, some moved and ended by hand, some left to the
 * judge. It notes what it was told, and finds out what the store made of it.
 */

export interface OperatorOptions {
  readonly queue: string;
  readonly scene: Scene;
  readonly calls: ApiCalls;
  readonly epochs: Epochs;
  readonly terms: Terms;
  readonly lives: ProxyLives;
  readonly losses: RedisLosses;
  readonly journal: Journal;
  readonly violations: Violations;
  readonly random: Random;
  /** Whether a deployment may begin: while all workers of a version are gone, the other one is no canary. */
  readonly mayBegin: () => boolean;
}

const STRATEGIES: Readonly<Record<string, string>> = {
  [QUEUES.direct]: 'hash_ring',
  [QUEUES.lists]: 'split_queue',
  [QUEUES.streams]: 'stream_group',
};
const ENDED: ReadonlySet<string> = new Set(['completed', 'failed']);
/** Between two things that an operator does. */
const PAUSE_MS = 400;
const JUDGE_MS_MAX = 45_000;

export class Operator {
  readonly windows: { readonly window: RollbackWindow; isKept: boolean }[] = [];
  readonly counts = { deployments: 0, promoted: 0, rolledBack: 0, byJudge: 0, lost: 0, eventsChecked: 0 };
  readonly #options: OperatorOptions;
  readonly #running: Promise<void>;
  #stable: string = VERSIONS[0];
  #isStopped = false;
  #beginning = Promise.resolve();

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Resolves when no call to begin a deployment is under way. */
  async isNotBeginning(): Promise<void> {
    await this.#beginning;
  }

  /** Resolves when the deployment that runs has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      while (!this.#options.mayBegin() && !this.#isStopped) await delay(PAUSE_MS);
      await this.#roll();
      await delay(PAUSE_MS);
    }
  }

  async #roll(): Promise<void> {
    const { queue, calls, random, scene } = this.#options;
    const canary = VERSIONS.find((version) => version !== this.#stable)!;
    const isForJudge = queue === QUEUES.direct && random() < 0.35;
    const isBad = isForJudge && random() < 0.5;
    const begunAt = performance.now();
    const begun = Promise.withResolvers<void>();
    this.#beginning = begun.promise;
    const { status, body } = await calls.call('POST', '/deployments', {
      queue_name: queue,
      stable_version: this.#stable,
      canary_version: canary,
      routing_strategy: STRATEGIES[queue],
      ...(isForJudge && {
        auto_promotion: true,
        min_duration: '4s',
        stages: [{ percentage: 50, duration: '2s' }],
        rollback_thresholds: {
          required_sample_size: 5,
          max_latency_increase: 50_000,
          max_throughput_decrease: 100,
        },
      }),
    });
    begun.resolve();
    // An earlier call got through and its answer did not.
    const id: string | undefined = status === 201 ? (body.id as string) : await this.#open();
    if (id === undefined) {
      await this.#refused(status, body);
      return;
    }
    this.counts.deployments++;
    if (isForJudge) await this.#leaveToJudge(id, begunAt, canary, isBad);
    else await this.#moveByHand(id, begunAt, canary);
    const record = await this.#wait(id, begunAt, (now) => ENDED.has(now.status));
    if (record === undefined) return;
    await this.#compare(id);
    if (record.status === 'completed') this.#stable = canary;
    if (random() < 0.3) await calls.call('DELETE', `/deployments/${id}`);
    for (const { process, version } of scene.workers) if (version === canary) process.fail(false);
  }

  async #moveByHand(id: string, begunAt: number, canary: string): Promise<void> {
    const { random } = this.#options;
    let expected = 0;
    for (let moves = 1 + Math.floor(random() * 3); moves > 0; moves--) {
      await delay(PAUSE_MS * (0.5 + random()));
      const percentage = Math.floor(random() * 10_001) / 100;
      const sentAt = performance.now();
      const moved = await this.#act(id, begunAt, 'PUT', 'percentage', { percentage });
      if (moved === undefined) return;
      if (moved.status !== 200) break;
      expected = percentage;
      if (random() < 0.3) {
        await this.#act(id, begunAt, 'POST', 'pause');
        await this.#act(id, begunAt, 'POST', 'resume');
      }
      const now = await this.#read(id, begunAt);
      if (now === undefined) return;
      if (now.current_percent !== expected)
        await this.#lost(id, sentAt, `${expected} % became ${now.current_percent} %`);
    }
    await delay(PAUSE_MS);
    if (random() < 0.5) await this.#promote(id, begunAt);
    else await this.#rollBack(id, begunAt, canary);
  }

  async #promote(id: string, begunAt: number): Promise<void> {
    for (;;) {
      const sentAt = performance.now();
      const answer = await this.#act(id, begunAt, 'POST', 'promote');
      if (answer === undefined) return;
      const record = await this.#read(id, begunAt);
      if (record === undefined) return;
      if (record.status === 'promoting' || record.status === 'completed') {
        this.counts.promoted++;
        return;
      }
      if (record.status === 'paused') await this.#act(id, begunAt, 'POST', 'resume');
      else if (record.status !== 'active') return;
      else if (answer.status === 200)
        await this.#lost(id, sentAt, `a promotion: it is ${record.status} again`);
    }
  }

  async #rollBack(id: string, begunAt: number, canary: string): Promise<void> {
    const { queue, scene, lives, epochs } = this.#options;
    for (;;) {
      const answer = await this.#act(id, begunAt, 'POST', 'rollback', { reason: 'the plan says so' });
      if (answer === undefined) return;
      if (answer.status !== 200) {
        const record = await this.#read(id, begunAt);
        if (record === undefined || record.status === 'failed' || record.status === 'rolling_back') return;
        continue;
      }
      const { sentAt } = answer;
      const epochsBefore = epochs.count;
      const { revision, proxies, applied } = answer.body.routing as Routing;
      const window = new RollbackWindow(
        { queue, deployment: id, canaryVersion: canary, sentAt, revision, proxies, applied },
        scene.proxies,
        lives,
      );
      const kept = { window, isKept: true };
      this.windows.push(kept);
      await delay(PAUSE_MS * 3);
      // Closed before it is looked at: what the store has now, it had all the while.
      window.close();
      const record = await this.#read(id, begunAt);
      if (record?.status === 'failed' || record?.status === 'rolling_back') {
        this.counts.rolledBack++;
        return;
      }
      // Lost by Redis. Where all of it is lost, the proxies know, and the decision stands.
      kept.isKept = record === undefined && this.#isFlushOnly(sentAt, epochsBefore);
      if (record === undefined) return;
      await this.#lost(id, sentAt, `a rollback: it is ${record.status} again`);
    }
  }

  /** Whether a flush was all that happened to the store since. */
  #isFlushOnly(from: number, epochsBefore: number): boolean {
    const { losses, epochs } = this.#options;
    return losses.flushesSince(from) === 1 && epochs.count - epochsBefore <= 1;
  }

  /** @param canary whose workers fail at every job if it is a bad one */
  async #leaveToJudge(id: string, begunAt: number, canary: string, isBad: boolean): Promise<void> {
    const { scene } = this.#options;
    for (const { process, version } of scene.workers) if (version === canary) process.fail(isBad);
    const until = performance.now() + JUDGE_MS_MAX;
    const ended = await this.#wait(
      id,
      begunAt,
      (now) => ENDED.has(now.status) || performance.now() > until || this.#isStopped,
    );
    if (ended !== undefined && ENDED.has(ended.status)) this.counts.byJudge++;
    else if (ended !== undefined) await this.#rollBack(id, begunAt, canary);
    for (const { process, version } of scene.workers) if (version === canary) process.fail(false);
  }

  /** @returns undefined if the deployment is lost */
  async #act(id: string, begunAt: number, method: string, verb: string, body: object = {}) {
    const answer = await this.#options.calls.call(method, `/deployments/${id}/${verb}`, body);
    if (answer.status !== 404) return answer;
    await this.#lost(id, begunAt, 'the whole deployment');
    return undefined;
  }

  async #read(id: string, begunAt: number): Promise<DeploymentView | undefined> {
    const { status, body } = await this.#options.calls.call('GET', `/deployments/${id}`);
    if (status === 200) return body as JsonObject & DeploymentView;
    await this.#lost(id, begunAt, `the whole deployment (${status})`);
    return undefined;
  }

  async #wait(
    id: string,
    begunAt: number,
    isEnough: (record: DeploymentView) => boolean,
  ): Promise<DeploymentView | undefined> {
    for (;;) {
      const record = await this.#read(id, begunAt);
      if (record === undefined || isEnough(record)) return record;
      await delay(PAUSE_MS);
    }
  }

  /**
   * Something that was answered is not there any more. Redis may do that where an epoch begins, or while it is in trouble: a
   * master that has been replaced, and doesn't know it yet, takes writes. Nowhere else.
   */
  async #lost(id: string, since: number, what: string): Promise<void> {
    const { epochs, journal, violations } = this.#options;
    this.counts.lost++;
    if (journal.was(['redis'], since, performance.now())) return;
    if ((await epochs.begunSince(since)) === 0) violations.add('what is answered is kept', `${id}: ${what}`);
  }

  async #open(): Promise<string | undefined> {
    const { queue, calls } = this.#options;
    const { body } = await calls.call('GET', `/deployments?queue_name=${queue}`);
    const open = (body.deployments as { id: string; status: string; canary_version: string }[]).find(
      ({ status }) => !ENDED.has(status),
    );
    return open?.canary_version === this.#stable ? undefined : open?.id;
  }

  /** The route stands on the other version than this operator believes: a promotion of its was lost, or was not. */
  async #refused(status: number, body: JsonObject): Promise<void> {
    const { violations, queue } = this.#options;
    const says = String((body.details as JsonObject | undefined)?.stable_version);
    const other = VERSIONS.find((version) => version !== this.#stable)!;
    if (says.startsWith(`must be ${other}`)) this.#stable = other;
    else if (status !== 201 && status !== 409)
      violations.add('a deployment can begin', `${queue}: ${status} ${JSON.stringify(body)}`);
  }

  /** Its record and its events, as one read finds them. */
  async #compare(id: string): Promise<void> {
    const { calls, violations, terms } = this.#options;
    const before = await calls.call('GET', `/deployments/${id}`);
    const told = await calls.call('GET', `/deployments/${id}/events`);
    const after = await calls.call('GET', `/deployments/${id}`);
    if (after.status !== 200 || told.status !== 200) return;
    // Ended ones change no more, unless Redis goes back to when they had not.
    if (JSON.stringify(withoutRouting(before.body)) !== JSON.stringify(withoutRouting(after.body))) return;
    const events = (told.body.events as EventView[]).toReversed();
    checkEvents(after.body as JsonObject & DeploymentView, events, violations);
    terms.hear(events);
    this.counts.eventsChecked++;
  }
}

function withoutRouting({
  routing: _routing,
  metrics: _metrics,
  health: _health,
  ...record
}: JsonObject): object {
  return record;
}
