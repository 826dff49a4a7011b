import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { vi } from 'vitest';
import { Api, QUEUE, type Routing, type WorkerRegistration } from './api.ts';
import { PATIENCE } from './patience.ts';
import { LanewiseProcess, temporaryDirectory, type Environment, type Exit } from './process.ts';
import { startRedis, type RedisServer } from './redis.ts';

/** Whole installations of Lanewise in processes of their own, and the sockets by which one talks to them. */

export interface DispatchAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface RoutesView {
  readonly epoch: string;
  readonly revision: number;
  readonly queues: readonly {
    readonly queue: string;
    readonly tenant?: string;
    readonly percentage: number;
    readonly deployment: string | null;
    readonly lanes: Readonly<Record<'stable' | 'canary' | 'reserve', readonly { readonly worker: string }[]>>;
  }[];
  readonly workers: readonly { readonly id: string; readonly version: string; readonly status: string }[];
}

/** What a proxy shows to the outside: where jobs go in, and the admin listener. */
export class ProxyFace {
  readonly dispatchUrl: string;
  readonly adminUrl: string;
  readonly #agent: Agent;

  constructor(dispatchUrl: string, adminUrl: string, agent: Agent) {
    this.dispatchUrl = dispatchUrl;
    this.adminUrl = adminUrl;
    this.#agent = agent;
  }

  /** One dispatch of a job. */
  async send(headers: Record<string, string> = {}, queue = QUEUE): Promise<DispatchAnswer> {
    const answer = await request(`${this.dispatchUrl}/dispatch/${queue}`, {
      dispatcher: this.#agent,
      method: 'POST',
      headers,
      body: '{}',
    });
    return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() };
  }

  /** Versions that `count` jobs with as many keys went to. Every one must succeed. */
  async versionsOf(count: number): Promise<ReadonlySet<string>> {
    const versions = new Set<string>();
    for (let i = 0; i < count; i++) {
      const { status, headers, body } = await this.send({ 'x-canary-sticky-key': `customer-${i}` });
      if (status !== 200) throw new Error(`a dispatch was answered ${status}: ${body}`);
      versions.add(String(headers['x-canary-version']));
    }
    return versions;
  }

  async readiness(): Promise<number> {
    return (await this.#admin('/readyz')).status;
  }

  async routes(): Promise<RoutesView> {
    return JSON.parse((await this.#admin('/routes')).body) as RoutesView;
  }

  /** The share that it gives the canary of a queue. */
  async percentage(queue = QUEUE): Promise<number | undefined> {
    return (await this.routes()).queues.find((q) => q.queue === queue && q.tenant === undefined)?.percentage;
  }

  /** Samples of one metric: labels as written → value. */
  async metric(name: string): Promise<Map<string, number>> {
    const samples = new Map<string, number>();
    for (const line of (await this.#admin('/metrics')).body.split('\n')) {
      const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match?.[1] === name) samples.set(match[2] ?? '', Number(match[3]));
    }
    return samples;
  }

  async #admin(path: string): Promise<{ status: number; body: string }> {
    const answer = await request(`${this.adminUrl}${path}`, { dispatcher: this.#agent });
    return { status: answer.statusCode, body: await answer.body.text() };
  }
}

/** A proxy in a process of its own, which can be started again on the same data directory. */
export class ProxyProcess {
  readonly dataDir: string;
  readonly #environment: Environment;
  readonly #agent: Agent;
  #process: LanewiseProcess | undefined;
  #face: ProxyFace | undefined;

  constructor(dataDir: string, environment: Environment, agent: Agent) {
    this.dataDir = dataDir;
    this.#environment = { ...environment, LANEWISE_DATA_DIR: dataDir };
    this.#agent = agent;
  }

  async start(): Promise<void> {
    const process = LanewiseProcess.start(['proxy'], this.#environment);
    this.#process = process;
    const [, dispatchUrl, adminUrl] = await process.printed(
      /proxy on (http:\S+)\/dispatch\/\{queue\}, admin on (http:\S+)/,
    );
    this.#face = new ProxyFace(dispatchUrl!, adminUrl!, this.#agent);
  }

  get process(): LanewiseProcess {
    return this.#process!;
  }

  get face(): ProxyFace {
    return this.#face!;
  }

  async stop(): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }
}

export interface System extends AsyncDisposable {
  /** Of this moment: a restart changes them. */
  readonly api: Api;
  readonly proxies: readonly ProxyFace[];
  /** Ends every process by the signal (and Redis, where there is one), and starts all of it again. */
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<readonly Exit[]>;
}

/** Both planes in one process over the embedded store. */
export class Standalone implements System {
  readonly dataDir: string;
  readonly #environment: Environment;
  readonly #stack = new AsyncDisposableStack();
  readonly #agent: Agent;
  #process: LanewiseProcess | undefined;
  #api: Api | undefined;
  #proxies: readonly ProxyFace[] = [];

  private constructor(dataDir: string, environment: Environment) {
    this.dataDir = dataDir;
    this.#environment = { ...environment, LANEWISE_DATA_DIR: dataDir };
    this.#agent = openAgent(this.#stack);
  }

  static async start(environment: Environment = {}): Promise<Standalone> {
    await using stack = new AsyncDisposableStack();
    const system = new Standalone(await temporaryDirectory(stack), environment);
    system.#stack.use(stack.move());
    system.#stack.defer(async () => system.#process?.[Symbol.asyncDispose]());
    try {
      await system.#start();
    } catch (error) {
      await system[Symbol.asyncDispose]();
      throw error;
    }
    return system;
  }

  get process(): LanewiseProcess {
    return this.#process!;
  }

  get api(): Api {
    return this.#api!;
  }

  get proxies(): readonly ProxyFace[] {
    return this.#proxies;
  }

  get proxy(): ProxyFace {
    return this.#proxies[0]!;
  }

  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<readonly Exit[]> {
    const exit = await this.process.end(signal);
    await this.#start();
    return [exit];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #start(): Promise<void> {
    const process = LanewiseProcess.start(['standalone'], this.#environment);
    this.#process = process;
    await process.printed(/Ctrl-C stops\.\n$/);
    const find = (pattern: RegExp): string => {
      const match = pattern.exec(process.stdout)?.[1];
      if (match === undefined) throw new Error(`the banner says nothing of ${pattern}: ${process.stdout}`);
      return match;
    };
    this.#api = new Api(find(/API +(http:\S+)\/api\/v1\/canary\n/), find(/Token +(\S+) +\(kept in/));
    this.#proxies = [
      new ProxyFace(
        find(/Dispatch +(http:\S+)\/dispatch\/\{queue\}\n/),
        find(/Admin +(http:\S+) /),
        this.#agent,
      ),
    ];
  }
}

export const FLEET_TOKEN = 'integration-test-secret';

/** A control plane in a process of its own, which can be started again. */
export class ControlProcess {
  readonly #environment: Environment;
  /** All that it has been, the present one last. */
  readonly lives: LanewiseProcess[] = [];
  #api: Api | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  async start(): Promise<void> {
    const process = LanewiseProcess.start(['control'], this.#environment);
    this.lives.push(process);
    const [, url] = await process.printed(/control plane on (http:\S+)\n/);
    this.#api = new Api(url!, FLEET_TOKEN);
  }

  get process(): LanewiseProcess {
    return this.lives.at(-1)!;
  }

  get api(): Api {
    return this.#api!;
  }

  async stop(): Promise<void> {
    await this.lives.at(-1)?.[Symbol.asyncDispose]();
  }
}

/** One control plane or several, and some proxies, each a process, on one real Redis that keeps its data. */
export class Fleet implements System {
  readonly #redis: RedisServer | undefined;
  readonly controls: readonly ControlProcess[];
  readonly members: readonly ProxyProcess[];
  readonly #stack: AsyncDisposableStack;
  readonly #directory: string;
  readonly #environment: Environment;
  readonly #agent: Agent;

  private constructor(
    redis: RedisServer | string,
    directory: string,
    sizes: { readonly proxies: number; readonly controls: number },
    settings: Environment,
    stack: AsyncDisposableStack,
  ) {
    this.#redis = typeof redis === 'string' ? undefined : redis;
    this.#directory = directory;
    this.#environment = { ...settings, REDIS_URL: typeof redis === 'string' ? redis : redis.url };
    this.#stack = stack;
    this.#agent = openAgent(stack);
    this.members = Array.from({ length: sizes.proxies }, () => this.newProxy());
    this.controls = Array.from({ length: sizes.controls }, (_, i) => this.#newControl(String(i)));
  }

  /** @param url of a Redis that is somebody else's to start and end; by default each has one of its own */
  static async start(
    proxies: number,
    settings: Environment = {},
    controls = 1,
    url?: string,
  ): Promise<Fleet> {
    await using stack = new AsyncDisposableStack();
    const redis = url ?? stack.use(await startRedis({ persistent: true }));
    const directory = await temporaryDirectory(stack);
    const fleet = new Fleet(redis, directory, { proxies, controls }, settings, stack.move());
    try {
      await fleet.#start();
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
    return fleet;
  }

  /** Its own. */
  get redis(): RedisServer {
    return this.#redis!;
  }

  /** The first, or only, control plane. */
  get control(): LanewiseProcess {
    return this.controls[0]!.process;
  }

  /** One more, with an empty data directory; not started, and not a member. */
  newProxy(settings: Environment = {}): ProxyProcess {
    const proxy = new ProxyProcess(
      join(this.#directory, `proxy-${randomUUID()}`),
      { ...this.#environment, ...settings },
      this.#agent,
    );
    this.#stack.defer(() => proxy.stop());
    return proxy;
  }

  /** One more control plane, as `newProxy`. */
  newControl(settings: Environment = {}): ControlProcess {
    return this.#newControl(randomUUID(), settings);
  }

  async restartControl(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.control.end(signal);
    await this.controls[0]!.start();
  }

  get api(): Api {
    return this.controls[0]!.api;
  }

  get proxies(): readonly ProxyFace[] {
    return this.members.map((member) => member.face);
  }

  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<readonly Exit[]> {
    const processes = [...this.controls, ...this.members].map((member) => member.process);
    const exits = await Promise.all(
      processes.map((process) => (process.hasExited ? process.exited : process.end(signal))),
    );
    await (signal === 'SIGKILL' ? this.redis.kill() : this.redis.stop());
    await this.redis.start();
    await this.#start();
    return exits;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #start(): Promise<void> {
    await Promise.all([...this.controls, ...this.members].map((member) => member.start()));
  }

  #newControl(name: string, settings: Environment = {}): ControlProcess {
    const control = new ControlProcess({
      ...this.#environment,
      LANEWISE_DATA_DIR: join(this.#directory, `control-${name}`),
      LANEWISE_TOKENS: `ops:admin:${FLEET_TOKEN}`,
      ...settings,
    });
    this.#stack.defer(() => control.stop());
    return control;
  }
}

/** Registers a worker; resolves when every proxy knows it. */
export async function enlist(
  { api, proxies }: Pick<System, 'api' | 'proxies'>,
  worker: WorkerRegistration,
): Promise<void> {
  await api.register(worker);
  for (const proxy of proxies) {
    await vi.waitUntil(
      async () =>
        (await proxy.routes()).workers.some((w) => w.id === worker.id && w.version === worker.version),
      PATIENCE,
    );
  }
}

/**
 * All proxies route by a change that was just answered. The answer itself says so, unless a machine that is busy
 * keeps one of them from running for a second; then it is asked for again.
 */
export async function applied(api: Api, deployment: string, answer: Routing, proxies: number): Promise<void> {
  if (!isComplete(answer, proxies)) await allApplied(api, deployment, proxies);
}

export function isComplete(routing: Routing, proxies: number): boolean {
  return routing.proxies === proxies && routing.applied === proxies;
}

/** Every proxy that lives routes by the deployment's latest change, and there are that many of them. */
export async function allApplied(api: Api, deployment: string, proxies: number): Promise<void> {
  await vi.waitUntil(async () => isComplete(await api.routing(deployment), proxies), PATIENCE);
}

function openAgent(stack: AsyncDisposableStack): Agent {
  const agent = new Agent({ connections: 128 });
  stack.defer(() => agent.destroy());
  return agent;
}
