import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import type { Redis } from 'ioredis';
import type { Logger } from '../../log.ts';
import { notify } from '../notify.ts';
import type { Subscription } from '../store.ts';
import { createSubscriberClient, reconnectDelayMs } from './clients.ts';
import { toStoreError } from './errors.ts';
import type { RedisAddress, RedisTarget } from './url.ts';

/**
 * A subscription that comes back. One connection of its own for each attempt, in a loop that says what it does: connect,
 * subscribe, wait for the acknowledgement, tell, wait for the end, tell, try again. (ioredis can resubscribe by itself,
 * but does not say when it has.)
 */
export interface ChannelListener {
  /** The server has acknowledged the subscription. */
  onUp?(): void;
  onMessage(message: string): void;
  onDown?(): void;
}

/**
 * Nothing may come for hours on a quiet day, so silence must be told from a dead connection. Twice as long as a call may
 * take; until then the followers' own polling covers for it.
 */
const HEARTBEAT_MS = 4_000;

/** Ours have a few thousand characters; nobody should take apart what somebody else has published there. */
const MESSAGE_LENGTH_MAX = 16 * 1024 * 1024;

interface SubscriptionOptions {
  readonly target: RedisTarget;
  /** Its name, fit for logs. */
  readonly redis: string;
  /** Nodes of a Cluster that have been found by now; each attempt takes another one. */
  readonly nodes: () => readonly RedisAddress[];
  readonly channel: string;
  readonly listener: ChannelListener;
  readonly log: Logger;
  readonly tls?: ConnectionOptions;
}

export function createSubscription(options: SubscriptionOptions): Subscription {
  const closing = new AbortController();
  const ended = keepSubscribed(options, closing.signal);
  return {
    async close() {
      closing.abort();
      await ended;
    },
  };
}

async function keepSubscribed(options: SubscriptionOptions, closing: AbortSignal): Promise<void> {
  const { target, nodes, log, tls } = options;
  // Subscribers spread over the nodes of a Cluster.
  let turn = Math.floor(Math.random() * 1_024);
  let failures = 0;
  while (!closing.aborted) {
    const known = target.kind === 'cluster' ? [...nodes(), ...target.nodes] : [];
    const client = createSubscriberClient(target, known[turn++ % Math.max(1, known.length)], tls);
    const { wasUp, reason } = await subscribeOnce(client, options, closing);
    if (closing.aborted) return;
    if (wasUp || failures === 0) log.warn({ reason }, wasUp ? 'subscription lost' : 'no subscription yet');
    failures = wasUp ? 1 : failures + 1;
    await delay(reconnectDelayMs(failures), undefined, { signal: closing }).catch(() => undefined);
  }
}

interface Ending {
  readonly wasUp: boolean;
  readonly reason: string;
}

/** From connecting to the end of that connection. Never rejects. */
async function subscribeOnce(
  client: Redis,
  options: SubscriptionOptions,
  closing: AbortSignal,
): Promise<Ending> {
  const { channel, listener, log, redis } = options;
  let lastError: unknown;
  let isUp = false;
  client.on('error', (error) => {
    lastError = error;
  });
  client.on('message', (_channel, message) => {
    // What comes together with the acknowledgement is older than the snapshot that `onUp` makes the listener read.
    if (!isUp || closing.aborted) return;
    if (message.length > MESSAGE_LENGTH_MAX)
      log.warn({ length: message.length }, 'a message that is too long was passed over');
    else notify(() => listener.onMessage(message));
  });
  const hangUp = (): void => client.disconnect();
  closing.addEventListener('abort', hangUp);
  const over = Promise.withResolvers<void>();
  client.once('end', over.resolve);
  try {
    await client.connect();
    await client.subscribe(channel);
    if (!closing.aborted) {
      isUp = true;
      log.info('subscribed');
      notify(() => listener.onUp?.());
      await heartbeatUntil(client, over.promise);
    }
  } catch (error) {
    // `connect` only says that the connection was closed; why is in the event before it.
    lastError ??= error;
  } finally {
    closing.removeEventListener('abort', hangUp);
    client.disconnect();
    if (isUp && !closing.aborted) notify(() => listener.onDown?.());
  }
  return {
    wasUp: isUp,
    reason: toStoreError(lastError ?? new Error('the connection was closed'), redis).message,
  };
}

/** Returns when the connection has ended; throws when it no longer answers. */
async function heartbeatUntil(client: Redis, over: Promise<void>): Promise<void> {
  const stop = new AbortController();
  const ended = over.then(() => stop.abort());
  while (!stop.signal.aborted) {
    await delay(HEARTBEAT_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    if (!stop.signal.aborted) await client.ping();
  }
  await ended;
}
