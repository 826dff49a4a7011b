import type { ConnectionOptions } from 'node:tls';
import { LanewiseError } from '../../../core/errors.ts';
import type { Logger } from '../../log.ts';
import type { Subscription } from '../store.ts';
import { createBlockingCalls, type BlockingCall } from './blocking.ts';
import {
  CALL_TIMEOUT_MS,
  createCommandClient,
  reconnectDelayMs,
  type CommandClient,
  type Scripted,
} from './clients.ts';
import { toStoreError } from './errors.ts';
import { createWrongTypeLog } from './key-types.ts';
import { checkSchema } from './schema.ts';
import { createReplicatedCall } from './replicated-call.ts';
import type { ScriptName } from './scripts.ts';
import { createSubscription, type ChannelListener } from './subscriber.ts';
import { maskRedisUrl, parseRedisUrl, type RedisAddress } from './url.ts';

export interface RedisConnectionOptions {
  readonly url: string;
  readonly log: Logger;
  /** Certificates for `rediss` URLs, over those that Node trusts. */
  readonly tls?: ConnectionOptions;
}

/** Calls that are answered within two seconds or reject with STORE_UNAVAILABLE, whatever Redis does. */
export interface RedisConnection {
  readonly isCluster: boolean;
  readonly db: number;
  run(script: ScriptName, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** Arguments may be bytes, and whatever text the reply holds comes as bytes. */
  runBytes(script: ScriptName, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown>;
  /** As `runBytes`; resolves only once that many replicas have what was written, by it or before it. */
  runReplicated(
    script: ScriptName,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
    replicas: number,
  ): Promise<unknown>;
  call(command: string, ...args: readonly string[]): Promise<unknown>;
  /** A call that may wait, on a connection of its own. Resolves without a value if nothing came or `signal` aborted. */
  block(call: BlockingCall, signal?: AbortSignal): Promise<unknown>;
  subscribe(channel: string, listener: ChannelListener): Subscription;
  close(): Promise<void>;
}

/** Connects in the background, for ever. @throws OperatorError if the URL is not one. */
export function openRedisConnection({ url, log, tls }: RedisConnectionOptions): RedisConnection {
  const target = parseRedisUrl(url);
  const redis = maskRedisUrl(url);
  const client = createCommandClient(target, tls);
  const subscriptions = new Set<Subscription>();
  const blocking = createBlockingCalls({
    target,
    nodes: () => nodesOf(client),
    ...(tls !== undefined && { tls }),
  });
  const state = followState(client, redis, log);
  let closed = false;

  const wrongTypes = createWrongTypeLog(log);
  const noted = (error: unknown): Error => {
    const known = toStoreError(error, redis);
    wrongTypes.note(known);
    return known;
  };

  const answer = async (send: () => Promise<unknown>): Promise<unknown> => {
    if (closed) throw new LanewiseError('STORE_UNAVAILABLE', 'the store is closed');
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(state.lateness()), CALL_TIMEOUT_MS);
    const call = state.whenReady().then(send);
    // Whichever loses the race may reject later on.
    call.catch(() => undefined);
    try {
      return await Promise.race([call, late]);
    } catch (error) {
      throw noted(error);
    } finally {
      clearTimeout(timer);
    }
  };

  const block = async (call: BlockingCall, signal?: AbortSignal): Promise<unknown> => {
    if (closed) throw new LanewiseError('STORE_UNAVAILABLE', 'the store is closed');
    try {
      return await blocking.run(call, signal);
    } catch (error) {
      throw noted(error);
    }
  };

  return {
    isCluster: target.kind === 'cluster',
    db: target.kind === 'cluster' ? 0 : target.db,
    run: (script, keys, args) => answer(() => (client as unknown as Scripted)[script](...keys, ...args)),
    runBytes: (script, keys, args) =>
      answer(() => (client as unknown as Scripted)[`${script}Buffer`](...keys, ...args)),
    call: (command, ...args) => answer(() => client.call(command, ...args)),
    runReplicated: (...call) => block(createReplicatedCall(...call)),
    block,
    subscribe(channel, listener) {
      const inner = createSubscription({
        target,
        redis,
        nodes: () => nodesOf(client),
        channel,
        listener,
        log: log.child({ redis, channel }),
        ...(tls !== undefined && { tls }),
      });
      const subscription: Subscription = {
        async close() {
          subscriptions.delete(subscription);
          await inner.close();
        },
      };
      subscriptions.add(subscription);
      return subscription;
    },
    async close() {
      if (closed) return;
      closed = true;
      state.stop();
      blocking.close();
      client.disconnect();
      await Promise.all([...subscriptions].map((s) => s.close()));
    },
  };
}

interface ConnectionState {
  /** Resolves once commands can be sent; rejects when the attempt to connect that is under way, or the next, fails. */
  whenReady(): Promise<void>;
  /** What to say of a call that has waited too long. */
  lateness(): Error;
  stop(): void;
}

function followState(client: CommandClient, redis: string, log: Logger): ConnectionState {
  let attempt = newAttempt();
  let lastError: unknown;
  let up: boolean | undefined;
  let stopped = false;
  const note = (error: unknown): void => {
    lastError = error;
  };
  // Also keeps ioredis from printing errors by itself.
  client.on('error', note);
  client.on('node error', note);
  const open = async (): Promise<void> => {
    const { resolve, reject } = attempt;
    try {
      await checkSchema(client, redis);
    } catch (error) {
      lastError = error;
      reject(error);
      if (!stopped) log.error({ redis, reason: reasonOf(error, redis) }, 'Redis is not used');
      return;
    }
    resolve();
    if (up !== true && !stopped) log.info({ redis }, 'Redis is connected');
    up = true;
  };
  client.on('ready', () => {
    lastError = undefined;
    void open();
  });
  client.on('close', () => {
    const failed = attempt;
    attempt = newAttempt();
    failed.reject(lastError ?? new Error('the connection was closed'));
    if (up !== false && !stopped)
      log.warn({ redis, reason: reasonOf(lastError, redis) }, 'Redis is not connected');
    up = false;
  });
  // ioredis gives up, for good and without a word, where it hears of a fail-over while it is asking a Sentinel.
  client.on('end', () => {
    if (stopped) return;
    attempt.reject(lastError ?? new Error('the connection was closed'));
    attempt = newAttempt();
    setTimeout(() => void (stopped || client.connect().catch(note)), reconnectDelayMs(1)).unref();
  });
  return {
    whenReady: () => attempt.promise,
    lateness: () => {
      const error = new Error(`no answer within ${CALL_TIMEOUT_MS} ms`);
      return lastError instanceof Error ? lastError : error;
    },
    stop() {
      stopped = true;
    },
  };
}

/** Nobody may be waiting when it fails. */
function newAttempt(): PromiseWithResolvers<void> {
  const attempt = Promise.withResolvers<void>();
  attempt.promise.catch(() => undefined);
  return attempt;
}

function reasonOf(error: unknown, redis: string): string {
  return error === undefined ? 'the connection was closed' : toStoreError(error, redis).message;
}

/** The nodes that a Cluster is known to have by now. */
function nodesOf(client: CommandClient): readonly RedisAddress[] {
  if (!('nodes' in client)) return [];
  return client.nodes('master').flatMap(({ options: { host, port } }) => {
    return host === undefined || port === undefined ? [] : [{ host, port }];
  });
}
