import type { Redis } from 'ioredis';
import { LanewiseError } from '../../../core/errors.ts';
import type { BlockingCall } from './blocking.ts';
import type { Scripted } from './clients.ts';
import { SCRIPTS, type ScriptName } from './scripts.ts';

/**
 * A script whose effect must outlive the server that ran it. Redis answers before its replicas have a write, and a
 * fail-over loses what they had not; WAIT answers when they have it. It speaks of the connection that it comes over, so
 * both go over one that is never another server's later on. What the server wrote before counts as well, which covers
 * a script that finds its work done: a producer's repetition.
 */

/** A replica that keeps up answers within a round trip; one that is behind by more is no safety. */
const REPLICATION_MS_MAX = 1_000;

export function createReplicatedCall(
  script: ScriptName,
  keys: readonly string[],
  args: readonly (string | Buffer)[],
  replicas: number,
): BlockingCall {
  return {
    key: keys[0]!,
    waitMs: REPLICATION_MS_MAX,
    async send(client) {
      const reply = await scripted(client, script)[`${script}Buffer`](...keys, ...args);
      const have = Number(await client.call('WAIT', replicas, REPLICATION_MS_MAX));
      if (have >= replicas) return reply;
      throw new LanewiseError(
        'STORE_UNAVAILABLE',
        `only ${have} of ${replicas} replicas of Redis had it within ${REPLICATION_MS_MAX} ms`,
      );
    },
  };
}

/** Defined when they are used first: most connections that wait run none. */
function scripted(client: Redis, script: ScriptName): Scripted {
  if (!(script in client)) client.defineCommand(script, SCRIPTS[script]);
  return client as unknown as Scripted;
}
