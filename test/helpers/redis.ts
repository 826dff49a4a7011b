import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './ports.ts';

/** Real servers on free loopback ports, gone with their files when the test is over, even if it fails. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** A connection for looking behind the store's back. Closed with the server. */
  client(): Redis;
  /** In good order. */
  stop(): Promise<void>;
  /** As a crash would. */
  kill(): Promise<void>;
  /** On the same port, with what was in its append-only file. */
  start(): Promise<void>;
  /** Keeps its connections, answers nothing. */
  pause(): void;
  resume(): void;
}

interface RedisServerOptions {
  /** Keeps data over a restart; every write is on disk before it is answered. */
  readonly persistent?: boolean;
  readonly password?: string;
  readonly args?: readonly string[];
}

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { persistent = false, password, args = [] } = options;
  const dir = await mkdtemp(join(tmpdir(), 'lanewise-redis-'));
  const port = await freePort();
  const clients = new Set<Redis>();
  let child: ChildProcess | undefined;

  const flags = {
    bind: '127.0.0.1',
    port: String(port),
    dir,
    save: '',
    loglevel: 'warning',
    appendonly: persistent ? 'yes' : 'no',
    appendfsync: 'always',
    ...(password !== undefined && { requirepass: password }),
  };
  const command = [...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]), ...args];

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const exited = once(ending, 'exit');
    // A paused process hears nothing but SIGKILL.
    ending.kill('SIGCONT');
    ending.kill(signal);
    await exited;
  };

  const server: RedisServer = {
    port,
    url: `redis://127.0.0.1:${port}`,
    client() {
      const client = connect(port, password);
      clients.add(client);
      return client;
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async start() {
      if (child !== undefined) return;
      child = spawn('redis-server', command, { stdio: ['ignore', 'pipe', 'pipe'] });
      await ready(child, port, password);
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect();
      await end('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

export interface RedisCluster extends AsyncDisposable {
  readonly url: string;
  readonly nodes: readonly RedisServer[];
}

/** Three masters that share the slots, and that many replicas of the first, of which one takes over when it dies. */
export async function startRedisCluster(replicas = 0, tls?: RedisTls): Promise<RedisCluster> {
  const size = 3 + replicas;
  await using stack = new AsyncDisposableStack();
  const nodes = await Promise.all(Array.from({ length: size }, () => startClusterNode(stack, tls)));
  const clients = nodes.map(({ server }) => server.client());
  const bounds = [0, 5461, 10923, 16384];
  for (const [i, client] of clients.entries()) {
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    if (i < 3)
      await client.call('CLUSTER', 'ADDSLOTSRANGE', String(bounds[i]), String((bounds[i + 1] ?? 0) - 1));
  }
  for (const { server, busPort, tlsPort } of nodes) {
    await clients[0]?.call('CLUSTER', 'MEET', '127.0.0.1', String(tlsPort ?? server.port), String(busPort));
  }
  for (const client of clients) {
    await until(async () => {
      const info = String(await client.call('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${size}`);
    });
  }
  for (const [i, replica] of clients.slice(3).entries()) {
    await replica.call('CLUSTER', 'REPLICATE', String(await clients[0]!.call('CLUSTER', 'MYID')));
    await until(() => hasReplicas(clients[0]!, i + 1));
    // Each node must have heard of it, or it doesn't vote for it.
    for (const client of clients)
      await until(
        async () => String(await client.call('CLUSTER', 'NODES')).match(/\bslave\b/g)?.length === i + 1,
      );
  }
  const opened = stack.move();
  return {
    url:
      tls === undefined
        ? `redis+cluster://${nodes.map(({ server }) => `127.0.0.1:${server.port}`).join(',')}`
        : `rediss+cluster://${nodes.map(({ tlsPort }) => `127.0.0.1:${tlsPort}`).join(',')}`,
    nodes: nodes.map(({ server }) => server),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

interface ClusterNode {
  readonly server: RedisServer;
  readonly busPort: number;
  readonly tlsPort: number | undefined;
}

async function startClusterNode(
  stack: AsyncDisposableStack,
  tls: RedisTls | undefined,
): Promise<ClusterNode> {
  const busPort = await freePort();
  const secure = tls && (await tlsFlags(tls));
  const flags = {
    '--cluster-enabled': 'yes',
    '--cluster-port': String(busPort),
    '--cluster-node-timeout': '2000',
    ...REPLICATION,
  };
  // Only a Cluster whose nodes speak TLS with each other tells clients of the ports for TLS.
  const args = [...Object.entries(flags).flat(), ...(secure ? ['--tls-cluster', 'yes', ...secure.args] : [])];
  return { server: stack.use(await startRedis({ args })), busPort, tlsPort: secure?.port };
}

/** Certificates of a server, in files. */
export interface RedisTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** Clients must show a certificate of that CA. */
  readonly asksClients: boolean;
}

/** For a port with TLS beside the plain one, which tests look through. */
export async function tlsFlags({ cert, key, ca, asksClients }: RedisTls) {
  const port = await freePort();
  const flags = {
    '--tls-port': String(port),
    '--tls-cert-file': cert,
    '--tls-key-file': key,
    '--tls-ca-cert-file': ca,
    '--tls-auth-clients': asksClients ? 'yes' : 'no',
  };
  return { port, args: Object.entries(flags).flat() };
}

/** Replicas begin at once; by default they wait five seconds for each other. */
const REPLICATION = { '--repl-diskless-sync-delay': '0' };

async function hasReplicas(master: Redis, count: number): Promise<boolean> {
  const info = await master.info('replication');
  return info.match(/^slave\d+:.*state=online/gm)?.length === count;
}

export interface RedisSentinel extends AsyncDisposable {
  readonly port: number;
}

/** Watches one master under the name `main`. @param quorum Sentinels that must miss it before one of them acts */
export async function startRedisSentinel(
  master: Pick<RedisServer, 'port'>,
  quorum = 1,
  args: readonly string[] = [],
): Promise<RedisSentinel> {
  const dir = await mkdtemp(join(tmpdir(), 'lanewise-sentinel-'));
  const port = await freePort();
  const file = join(dir, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${dir}`,
    `sentinel monitor main 127.0.0.1 ${master.port} ${quorum}`,
    'sentinel down-after-milliseconds main 1500',
    'sentinel failover-timeout main 6000',
    'sentinel parallel-syncs main 2',
  ];
  await writeFile(file, lines.map((line) => `${line}\n`).join(''));
  const child = spawn('redis-server', [file, '--sentinel', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  await ready(child, port, undefined);
  return {
    port,
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export interface WatchedRedis extends AsyncDisposable {
  readonly url: string;
  /** Until it dies. */
  readonly master: RedisServer;
}

/** A master with two replicas, and three Sentinels, two of which make one of the replicas the master if it dies. */
export async function startWatchedRedis(): Promise<WatchedRedis> {
  await using stack = new AsyncDisposableStack();
  const args = Object.entries(REPLICATION).flat();
  const master = stack.use(await startRedis({ args }));
  for (let i = 0; i < 2; i++)
    stack.use(await startRedis({ args: [...args, '--replicaof', `127.0.0.1 ${master.port}`] }));
  await until(() => hasReplicas(master.client(), 2));
  const sentinels: RedisSentinel[] = [];
  for (let i = 0; i < 3; i++) sentinels.push(stack.use(await startRedisSentinel(master, 2)));
  for (const { port } of sentinels) {
    const client = connect(port, undefined);
    stack.defer(() => client.disconnect());
    await until(async () => (await client.info('sentinel')).includes(',slaves=2,sentinels=3'));
  }
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  const opened = stack.move();
  return {
    url: `redis+sentinel://${hosts}/main`,
    master,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function connect(port: number, password: string | undefined): Redis {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    ...(password !== undefined && { password }),
    retryStrategy: () => 20,
  });
  client.on('error', () => undefined);
  return client;
}

/** Waits until it serves (ioredis' own check covers loading); fails with what it printed if it ends before. */
async function ready(child: ChildProcess, port: number, password: string | undefined): Promise<void> {
  let output = '';
  child.stdout?.on('data', (chunk) => (output += String(chunk)));
  child.stderr?.on('data', (chunk) => (output += String(chunk)));
  const client = connect(port, password);
  const ended = (): Error => new Error(`redis-server ended at once: ${output}`);
  try {
    await new Promise<void>((resolve, reject) => {
      client.once('ready', resolve);
      child.once('exit', () => reject(ended()));
      child.once('error', reject);
    });
  } finally {
    client.disconnect();
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await condition()); await delay(20)) {
    if (Date.now() > deadline) throw new Error('the servers did not find each other within 60 s');
  }
}
