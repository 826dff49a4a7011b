import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../helpers/ports.ts';
import { temporaryDirectory } from '../helpers/process.ts';
import { mustComeToPass } from './patience.ts';
import { Relay } from './relay.ts';

/**
 * Redis as operators run it: two servers, one of them the other's replica, an append-only file each, and three
 * Sentinels. Servers and Sentinels have files of configuration, in which Sentinel notes who follows whom, so that one
 * that comes back knows its place. By the other server and the Sentinels each server is reached over a wire of its own,
 * which is the address that it announces; clients have theirs, see `member.ts`.
 */

/** Missing for so long, a master is replaced. Longer than a busy machine keeps a healthy one from answering. */
const DOWN_AFTER_MS = 3000;
/** As systemd and Kubernetes do it, but sooner. */
const STOP_MS_MAX = 15_000;
const RESTART_MS = 500;

export class RedisProcess implements AsyncDisposable {
  readonly port: number;
  readonly client: Redis;
  readonly #arguments: readonly string[];
  #child: ChildProcess | undefined;
  #isWanted = false;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#arguments = args;
    // For looking on; what asks gets an answer soon, or an error.
    this.client = new Redis({
      host: '127.0.0.1',
      port,
      lazyConnect: true,
      retryStrategy: () => 100,
      commandTimeout: 2000,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
    });
    this.client.on('error', () => undefined);
  }

  static async start(
    port: number,
    lines: readonly string[],
    dir: string,
    mode: readonly string[] = [],
  ): Promise<RedisProcess> {
    const file = join(dir, `redis-${port}.conf`);
    const more = [`port ${port}`, 'bind 127.0.0.1', `dir ${dir}`, ...lines];
    await writeFile(file, more.map((line) => `${line}\n`).join(''));
    const server = new RedisProcess(port, [file, ...mode]);
    await server.start();
    void server.client.connect().catch(() => undefined);
    await mustComeToPass('a Redis that answers', () => server.answers());
    return server;
  }

  async start(): Promise<void> {
    this.#isWanted = true;
    if (this.#child !== undefined) return;
    const child = spawn('redis-server', this.#arguments, { stdio: 'ignore' });
    this.#child = child;
    living.add(child);
    child.once('exit', () => {
      living.delete(child);
      this.#child = undefined;
      // Its port may just have been somebody else's.
      if (this.#isWanted) setTimeout(() => void (this.#isWanted && this.start()), RESTART_MS);
    });
    await once(child, 'spawn');
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** As a crash would. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /**
   * In good order, as far as it goes: one that refuses, as Redis may while a fail-over is under way, is killed like any
   * service is.
   */
  async stop(): Promise<void> {
    const killing = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_MS_MAX);
    await this.#end('SIGTERM');
    clearTimeout(killing);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const ending = this.#child;
    if (ending === undefined) return;
    this.#isWanted = false;
    const exited = once(ending, 'exit');
    ending.kill(signal);
    await exited;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async answers(): Promise<boolean> {
    return this.client.ping().then(
      () => true,
      () => false,
    );
  }

  async info(): Promise<string> {
    return this.client.info('replication').catch(() => '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.disconnect();
    await this.kill();
  }
}

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class RedisGroup {
  readonly servers: readonly RedisProcess[];
  readonly sentinels: readonly RedisProcess[];
  readonly #wires: ReadonlyMap<RedisProcess, Relay>;

  private constructor(wires: ReadonlyMap<RedisProcess, Relay>, sentinels: readonly RedisProcess[]) {
    this.servers = [...wires.keys()];
    this.sentinels = sentinels;
    this.#wires = wires;
  }

  /** By which the other server and the Sentinels reach it. */
  wireTo(server: RedisProcess): Relay {
    return this.#wires.get(server)!;
  }

  static async start(stack: AsyncDisposableStack): Promise<RedisGroup> {
    const wires = new Map<RedisProcess, Relay>();
    const server = async (more: readonly string[] = []): Promise<Relay> => {
      const port = await freePort();
      const wire = stack.use(await Relay.start({ targets: () => [port] }));
      const lines = [
        'replica-announce-ip 127.0.0.1',
        `replica-announce-port ${wire.port}`,
        'save ""',
        'appendonly yes',
        'appendfsync everysec',
        'repl-diskless-sync-delay 0',
        'enable-debug-command local',
        ...more,
      ];
      wires.set(stack.use(await RedisProcess.start(port, lines, await temporaryDirectory(stack))), wire);
      return wire;
    };
    const master = await server();
    await server([`replicaof 127.0.0.1 ${master.port}`]);
    const sentinel = async (): Promise<RedisProcess> => {
      const lines = [
        `sentinel monitor main 127.0.0.1 ${master.port} 2`,
        `sentinel down-after-milliseconds main ${DOWN_AFTER_MS}`,
        'sentinel failover-timeout main 10000',
      ];
      const directory = await temporaryDirectory(stack);
      return stack.use(await RedisProcess.start(await freePort(), lines, directory, ['--sentinel']));
    };
    const group = new RedisGroup(wires, [await sentinel(), await sentinel(), await sentinel()]);
    await mustComeToPass('Redis with its Sentinels', () => group.isWhole());
    return group;
  }

  /** The one that the Sentinels name, if it takes writes. */
  async master(): Promise<RedisProcess | undefined> {
    for (const sentinel of this.sentinels) {
      const named = await sentinel.client
        .call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main')
        .catch(() => null);
      const port = Number((named as readonly string[] | null)?.[1]);
      const server = this.servers.find((candidate) => this.wireTo(candidate).port === port);
      if (server !== undefined && (await server.info()).includes('role:master')) return server;
    }
    return undefined;
  }

  /** A master, the other one its replica, and Sentinels that know both and each other, with no fail-over under way. */
  async isWhole(): Promise<boolean> {
    const master = await this.master();
    const address = master && this.wireTo(master).port;
    if (master === undefined || !/^slave0:.*state=online/m.test(await master.info())) return false;
    for (const server of this.servers) {
      if (server === master) continue;
      const info = await server.info();
      if (!info.includes(`master_port:${address}`) || !info.includes('master_link_status:up')) return false;
    }
    for (const { client } of this.sentinels) {
      const info = await client.info('sentinel').catch(() => '');
      if (!info.includes(`:${address},slaves=1,sentinels=3`)) return false;
      const state = (await client.call('SENTINEL', 'MASTER', 'main').catch(() => [])) as object;
      if (flagsOf(state) !== 'master') return false;
    }
    return true;
  }

  async epoch(): Promise<string | undefined> {
    const master = await this.master();
    return (await master?.client.get('{lanewise}:epoch').catch(() => null)) ?? undefined;
  }
}

/** A map, or a list of names and values, by the protocol that was agreed on. */
function flagsOf(state: object): unknown {
  const entries: readonly unknown[] = Array.isArray(state) ? state : Object.entries(state).flat();
  return entries[entries.indexOf('flags') + 1];
}
