import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Agent } from 'undici';
import type { Environment } from '../helpers/process.ts';
import { ControlProcess, FLEET_TOKEN, ProxyFace, ProxyProcess } from '../helpers/system.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import type { RedisGroup } from './redis-group.ts';
import { Relay, type Weather } from './relay.ts';

/** One process of a plane, and its own wires to each Redis server and each Sentinel. */
export interface Member {
  readonly name: string;
  readonly clock: FakeClock | undefined;
  /** To all of Redis. */
  wire(weather: Weather): Promise<void>;
  resetWire(): void;
  pid(): number;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Kills it, or tells it to stop; resolves when it is gone. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  start(): Promise<void>;
}

export interface ProxyMember extends Member {
  readonly process: ProxyProcess;
  /** As producers reach it, by a wire that can be cut, too. */
  readonly face: ProxyFace;
  readonly producers: Relay;
}

export interface ControlMember extends Member {
  readonly process: ControlProcess;
}

/**
 * Relays to all servers, as one process sees them. Sentinels tell clients where Redis is, so what they say is
 * translated: to each client its own relays.
 */
async function wires(
  stack: AsyncDisposableStack,
  redis: RedisGroup,
): Promise<{ relays: Relay[]; url: string }> {
  const ports = new Map<string, string>();
  const translate = (text: string): string =>
    text.replaceAll(/\d+/g, (digits) => ports.get(digits) ?? digits);
  const relays: Relay[] = [];
  for (const server of redis.servers) {
    const relay = stack.use(await Relay.start({ targets: () => [server.port] }));
    relays.push(relay);
    ports.set(String(redis.wireTo(server).port), String(relay.port));
  }
  const sentinels: Relay[] = [];
  for (const { port } of redis.sentinels) {
    const relay = stack.use(await Relay.start({ targets: () => [port], translate }));
    sentinels.push(relay);
    ports.set(String(port), String(relay.port));
  }
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return { relays: [...relays, ...sentinels], url: `redis+sentinel://${hosts}/main` };
}

interface MemberOptions {
  readonly stack: AsyncDisposableStack;
  readonly name: string;
  readonly redis: RedisGroup;
  readonly directory: string;
  readonly settings: Environment;
  readonly agent: Agent;
  /** Is told of a process that has not come up in a minute, with all that it printed. */
  readonly hung: (name: string, printed: string) => void;
}

async function common({ stack, name, redis, directory, settings }: MemberOptions) {
  const { relays, url } = await wires(stack, redis);
  const clock = await createFakeClock(join(directory, `${name}.clock`));
  const dataDir = join(directory, name);
  await mkdir(dataDir);
  return {
    dataDir,
    environment: { ...settings, ...clock?.environment, REDIS_URL: url, LANEWISE_DATA_DIR: dataDir },
    member: {
      name,
      clock,
      async wire(weather: Weather) {
        for (const relay of relays) await relay.set(weather);
      },
      resetWire() {
        for (const relay of relays) relay.reset();
      },
    },
  };
}

function processOf(
  owner: ProxyProcess | ControlProcess,
  { name, hung }: MemberOptions,
): Omit<Member, 'name' | 'clock' | 'wire' | 'resetWire'> {
  return {
    pid: () => owner.process.pid,
    signal: (signal) => owner.process.signal(signal),
    async end(signal) {
      const { process } = owner;
      // A stopped process hears nothing else.
      process.signal('SIGCONT');
      if (!process.hasExited) await process.end(signal);
    },
    start: () => supervised(owner, (printed) => hung(name, printed)),
  };
}

export async function startControlMember(options: MemberOptions): Promise<ControlMember> {
  const { environment, member } = await common(options);
  const control = new ControlProcess({ ...environment, LANEWISE_TOKENS: `ops:admin:${FLEET_TOKEN}` });
  options.stack.defer(() => control.stop());
  const face = processOf(control, options);
  await face.start();
  return { ...member, ...face, process: control };
}

/**
 * As what runs it in production does. A control plane whose Redis is away ends at once and says so, and is started again;
 * a process that has not come up in a minute is started again as well.
 */
async function supervised(
  owner: ControlProcess | ProxyProcess,
  hung: (printed: string) => void,
): Promise<void> {
  for (;;) {
    try {
      await owner.start();
      return;
    } catch (error) {
      const { hasExited, stdout, stderr } = owner.process;
      if (hasExited && !stderr.includes("can't be reached")) throw error;
      if (!hasExited) hung(`${stdout}${stderr}`);
      await owner.stop();
      await delay(500);
    }
  }
}

export async function startProxyMember(options: MemberOptions): Promise<ProxyMember> {
  const { environment, member, dataDir } = await common(options);
  const proxy = new ProxyProcess(dataDir, environment, options.agent);
  options.stack.defer(() => proxy.stop());
  const face = processOf(proxy, options);
  await face.start();
  const producers = options.stack.use(
    await Relay.start({ targets: () => [Number(new URL(proxy.face.dispatchUrl).port)] }),
  );
  return {
    ...member,
    ...face,
    process: proxy,
    producers,
    get face() {
      return new ProxyFace(`http://127.0.0.1:${producers.port}`, proxy.face.adminUrl, options.agent);
    },
  };
}
