import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { loadConfig, type Config } from '../../config/load.ts';
import { startProxy, type Proxy } from '../../proxy/proxy.ts';
import type { Deployment, RoutingStrategy } from '../../src/core/deployment.ts';
import { openSplit, promoted, rolledBack, withPercentage, type Route } from '../../src/core/route.ts';
import { NO_WORKER_METRICS, type Worker } from '../../src/core/worker.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { ResolveHost } from '../../src/runtime/addresses/address-allow.ts';
import { createLog, type Logger } from '../../src/runtime/log.ts';
import { openEmbeddedStore } from '../../src/runtime/store/sqlite/embedded-store.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import type { JobTracer } from '../../src/runtime/tracing.ts';

/** A running proxy over a store, and an operator who writes straight to that store. */

export interface RigOptions {
  readonly store?: Store;
  /** As environment variables. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The worker of a sidecar. */
  readonly consumeFor?: string;
  readonly tracer?: JobTracer;
  /** In place of the system's resolver. */
  readonly resolveHost?: ResolveHost;
  readonly log?: Logger;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Send {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

export class Rig implements AsyncDisposable {
  readonly store: Store;
  readonly proxy: Proxy;
  readonly config: Config;
  readonly #stack: AsyncDisposableStack;
  readonly #agent = new Agent({ connections: 64, pipelining: 1 });

  private constructor(store: Store, proxy: Proxy, config: Config, stack: AsyncDisposableStack) {
    this.store = store;
    this.proxy = proxy;
    this.config = config;
    this.#stack = stack;
    stack.defer(() => this.#agent.destroy());
  }

  static async start(options: RigOptions = {}): Promise<Rig> {
    await using stack = new AsyncDisposableStack();
    const dataDir = await mkdtemp(join(tmpdir(), 'lanewise-rig-'));
    stack.defer(() => rm(dataDir, { recursive: true, force: true }));
    const { config } = loadConfig({
      environment: {
        LANEWISE_DATA_DIR: dataDir,
        LANEWISE_PROXY_PORT: '0',
        LANEWISE_ADMIN_PORT: '0',
        LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring',
        ...options.settings,
      },
      readFile: () => '',
    });
    const store = options.store ?? openEmbeddedStore({ dataDir, clock: systemClock });
    if (options.store === undefined) stack.defer(() => store.close());
    const proxy = await startProxy({
      config,
      store,
      clock: systemClock,
      log: options.log ?? createLog('silent'),
      resolveHost: options.resolveHost,
      random: Math.random,
      version: '0.0.0-test',
      tracer: options.tracer,
      ...(options.consumeFor !== undefined && { consumeFor: options.consumeFor }),
    });
    let closed = false;
    const rig = new Rig(
      store,
      {
        ...proxy,
        table: proxy.table,
        close: async (drainTimeoutMs) => {
          if (closed) return;
          closed = true;
          await proxy.close(drainTimeoutMs);
        },
      },
      config,
      stack.move(),
    );
    rig.#stack.defer(() => rig.proxy.close(0));
    return rig;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  get dispatchUrl(): string {
    return this.proxy.dispatchUrl;
  }

  get adminUrl(): string {
    return this.proxy.adminUrl;
  }

  /** Registers a worker and waits until the proxy routes by it. */
  async register(worker: Partial<Worker> & { readonly url?: string }): Promise<Worker> {
    const record: Worker = {
      id: `worker-${randomUUID()}`,
      version: 'v1',
      lane: 'stable',
      queues: ['jobs'],
      weight: 1,
      status: 'healthy',
      recordVersion: 1,
      registeredAt: 0,
      lastSeen: 0,
      metrics: NO_WORKER_METRICS,
      ...worker,
    };
    await this.#applied(await this.store.saveWorker(record, record.recordVersion - 1));
    return record;
  }

  async remove(worker: Worker): Promise<void> {
    await this.#applied(await this.store.removeWorker(worker.id, worker.recordVersion));
  }

  async createDeployment(
    change: Partial<Deployment> & { readonly strategy?: RoutingStrategy } = {},
  ): Promise<Deployment> {
    const { strategy = 'hash_ring', ...fields } = change;
    const deployment: Deployment = {
      id: `canary_${randomUUID()}`,
      version: 1,
      queue: 'jobs',
      stableVersion: 'v1',
      canaryVersion: 'v2',
      currentPercent: 0,
      targetPercent: 0,
      status: 'active',
      startTime: 0,
      lastUpdate: 0,
      step: 1,
      activeFrom: 0,
      stepFrom: 0,
      config: {
        routingStrategy: strategy,
        stickyRouting: true,
        autoPromotion: false,
        maxCanaryDurationMs: 1,
        minCanaryDurationMs: 1,
        drainTimeoutMs: 1,
        metricsWindowMs: 1,
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
      ...fields,
    };
    const before = await this.store.getRoute(deployment.queue, deployment.tenant);
    await this.#applied(
      await this.store.createDeployment({
        deployment,
        route: openSplit(before, deployment),
        basedOnRevision: before?.revision ?? 0,
        events: [],
        openMax: 1000,
      }),
    );
    return deployment;
  }

  setPercentage(deployment: Deployment, percentage: number): Promise<Deployment> {
    const step = deployment.step + 1;
    return this.#change({ ...deployment, currentPercent: percentage, step }, (route) =>
      withPercentage(route, percentage, step),
    );
  }

  promote(deployment: Deployment): Promise<Deployment> {
    return this.#change({ ...deployment, currentPercent: 100, status: 'completed' }, promoted);
  }

  rollBack(deployment: Deployment): Promise<Deployment> {
    return this.#change({ ...deployment, currentPercent: 0, status: 'failed' }, rolledBack);
  }

  /** One dispatch through the proxy's socket. */
  async send(queue = 'jobs', { method = 'POST', path = '', headers = {}, body }: Send = {}): Promise<Answer> {
    const answer = await request(`${this.dispatchUrl}/dispatch/${queue}${path}`, {
      dispatcher: this.#agent,
      method: method as 'POST',
      headers,
      body: body ?? null,
    });
    return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() };
  }

  /** Many dispatches, 64 at a time, in the order of `sends`. */
  async sendAll(sends: readonly Send[], queue = 'jobs'): Promise<Answer[]> {
    const answers: Answer[] = Array.from({ length: sends.length });
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < sends.length) {
        const i = next++;
        answers[i] = await this.send(queue, sends[i]);
      }
    };
    await Promise.all(Array.from({ length: 64 }, lane));
    return answers;
  }

  async admin(path: string): Promise<Answer> {
    const answer = await request(`${this.adminUrl}${path}`, { dispatcher: this.#agent });
    return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() };
  }

  /** Samples of one metric: labels as written → value. */
  async metric(name: string): Promise<Map<string, number>> {
    const samples = new Map<string, number>();
    for (const line of (await this.admin('/metrics')).body.split('\n')) {
      const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match?.[1] === name) samples.set(match[2] ?? '', Number(match[3]));
    }
    return samples;
  }

  async #change(next: Deployment, move: (route: Route) => Route): Promise<Deployment> {
    const route = (await this.store.getRoute(next.queue, next.tenant))!;
    const deployment = { ...next, version: next.version + 1 };
    await this.#applied(
      await this.store.saveDeployment({
        deployment,
        expectedVersion: next.version,
        route: move(route),
        events: [],
      }),
    );
    return deployment;
  }

  async #applied(result: { readonly kind: string; readonly revision?: number }): Promise<void> {
    if (result.kind !== 'saved') throw new Error(`the store answered ${result.kind}`);
    while (this.proxy.table.revision < result.revision!) await setImmediate();
  }
}
