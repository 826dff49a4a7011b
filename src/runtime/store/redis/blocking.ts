import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import type { Redis } from 'ioredis';
import { CALL_TIMEOUT_MS, createBlockingClient } from './clients.ts';
import type { RedisAddress, RedisTarget } from './url.ts';

/**
 * Commands that wait on the server. Each has a connection to itself while it does, so that nothing queues up behind it;
 * connections are kept for the next one. On a Cluster a connection goes to one node, and a redirection to another.
 */
export interface BlockingCall {
  /** Where it is, the next call for it will begin. */
  readonly key: string;
  /** One command, or several that must go over the same connection: one that breaks never comes back. */
  readonly send: (client: Redis) => Promise<unknown>;
  /** As the command was told to. */
  readonly waitMs: number;
}

export interface BlockingCalls {
  /** Resolves with the reply, null for none. Rejects if the connection breaks or the server is silent for too long. */
  run(call: BlockingCall, signal?: AbortSignal): Promise<unknown>;
  close(): void;
}

interface BlockingOptions {
  readonly target: RedisTarget;
  readonly nodes: () => readonly RedisAddress[];
  readonly tls?: ConnectionOptions;
}

interface Line {
  readonly client: Redis;
  /** The server's number for it, by which it can be unblocked. */
  readonly id: string;
  readonly node: RedisAddress | undefined;
  /** While nobody uses it. */
  idleTimer?: NodeJS.Timeout;
}

/** A redirection to a node that redirects again; a Cluster that is at rest needs one. */
const REDIRECTIONS_MAX = 3;
/** An unblocking that overtakes the command which it is for must be said again. */
const UNBLOCK_EVERY_MS = 20;
/** Connections kept for the next call, of each node, and for how long: a rush must not leave them behind for good. */
const IDLE_MAX = 64;
const IDLE_MS_MAX = 10_000;

export function createBlockingCalls({ target, nodes, tls }: BlockingOptions): BlockingCalls {
  const idle: Line[] = [];
  const all = new Set<Redis>();
  const places = new Map<string, RedisAddress>();
  let turn = 0;

  /** Any node can redirect, but one may be down: each failure makes the next one be asked. */
  const startOf = (key: string): RedisAddress | undefined => {
    if (target.kind !== 'cluster') return undefined;
    const known = [...nodes(), ...target.nodes];
    return places.get(key) ?? known[turn % known.length];
  };
  let closed = false;

  const open = async (node: RedisAddress | undefined): Promise<Line> => {
    // The latest, so that those which are not needed become old.
    const kept = idle.findLastIndex((line) => isSame(line.node, node) && line.client.status === 'ready');
    const [ready] = kept === -1 ? [] : idle.splice(kept, 1);
    clearTimeout(ready?.idleTimer);
    if (ready !== undefined) return ready;
    const client = createBlockingClient(target, node, tls);
    let lastError: unknown;
    client.on('error', (error) => {
      lastError = error;
    });
    client.once('end', () => {
      all.delete(client);
      const gone = idle.findIndex((line) => line.client === client);
      if (gone !== -1) clearTimeout(idle.splice(gone, 1)[0]?.idleTimer);
    });
    all.add(client);
    try {
      await client.connect();
      const id = String(await withinTime(client, client.call('CLIENT', 'ID'), CALL_TIMEOUT_MS));
      return { client, id, node };
    } catch (error) {
      client.disconnect();
      throw lastError ?? error;
    }
  };

  const keep = (line: Line): void => {
    if (closed || idle.length >= IDLE_MAX) {
      line.client.disconnect();
      return;
    }
    line.idleTimer = setTimeout(() => line.client.disconnect(), IDLE_MS_MAX).unref();
    idle.push(line);
  };

  const unblock = async (line: Line, over: AbortSignal): Promise<void> => {
    const other = await open(line.node);
    while (!over.aborted) {
      await withinTime(other.client, other.client.call('CLIENT', 'UNBLOCK', line.id), CALL_TIMEOUT_MS);
      await delay(UNBLOCK_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
    }
    keep(other);
  };

  const runOn = async (line: Line, call: BlockingCall, signal: AbortSignal | undefined): Promise<unknown> => {
    const over = new AbortController();
    // Where it can't be unblocked its connection goes: the caller must look for what might have come.
    const stop = (): void => void unblock(line, over.signal).catch(() => line.client.disconnect());
    if (signal?.aborted === true) stop();
    signal?.addEventListener('abort', stop);
    try {
      const reply = await withinTime(line.client, call.send(line.client), call.waitMs + CALL_TIMEOUT_MS);
      keep(line);
      return reply;
    } catch (error) {
      // After a fail-over a connection may be to what is a replica now, so none is kept that had an error.
      if (redirectionOf(error) !== undefined) keep(line);
      else line.client.disconnect();
      throw error;
    } finally {
      over.abort();
      signal?.removeEventListener('abort', stop);
    }
  };

  return {
    async run(call, signal) {
      let node = startOf(call.key);
      for (let redirections = 0; ; redirections++) {
        const line = await open(node).catch((error: unknown) => {
          places.delete(call.key);
          turn += 1;
          throw error;
        });
        if (closed) line.client.disconnect();
        try {
          return await runOn(line, call, signal);
        } catch (error) {
          const moved = redirectionOf(error);
          places.delete(call.key);
          if (moved === undefined || redirections >= REDIRECTIONS_MAX) throw error;
          places.set(call.key, moved);
          node = moved;
        }
      }
    },
    close() {
      closed = true;
      for (const client of all) client.disconnect();
    },
  };
}

function isSame(a: RedisAddress | undefined, b: RedisAddress | undefined): boolean {
  return a?.host === b?.host && a?.port === b?.port;
}

function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/** `MOVED <slot> <host>:<port>`, the host possibly empty: the one that was asked. */
function redirectionOf(error: unknown): RedisAddress | undefined {
  const [, host, port] = (isReply(error) && /^MOVED \d+ (.+):(\d+)$/.exec(error.message)) || [];
  return host === undefined ? undefined : { host, port: Number(port) };
}

/** A connection that is dead without having been closed says nothing for ever. */
async function withinTime(client: Redis, call: Promise<unknown>, ms: number): Promise<unknown> {
  const timer = setTimeout(() => client.disconnect(), ms);
  try {
    return await call;
  } finally {
    clearTimeout(timer);
  }
}
