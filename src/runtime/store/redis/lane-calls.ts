import { baseKeyOf, hashTagProblem, type LaneQueue } from '../../../core/lane-keys.ts';
import { LANES, type Lane } from '../../../core/lane.ts';
import { LanewiseError } from '../../../core/errors.ts';
import { damaged } from '../records.ts';
import type { RedisConnection } from './connection.ts';
import type { ScriptName } from './scripts.ts';

/** Runs scripts of lanes: every one takes the base key, the kind and the envelope, and fails in the same ways. */
export interface LaneCalls {
  /** @throws QUEUE_UNAVAILABLE where the queue can't be on this Redis, STORE_UNAVAILABLE */
  run(script: ScriptName, queue: LaneQueue, ...args: readonly (string | Uint8Array)[]): Promise<LaneReply>;
  /** Resolves once as many replicas have it as are configured. */
  runReplicated(
    script: ScriptName,
    queue: LaneQueue,
    ...args: readonly (string | Uint8Array)[]
  ): Promise<LaneReply>;
}

/** What a script returned, read item by item. */
export interface LaneReply {
  readonly isOver: boolean;
  text(): string;
  count(): number;
  lane(): Lane;
  bytes(): Uint8Array;
}

export function createLaneCalls(connection: RedisConnection, replicas = 0): LaneCalls {
  const run = async (
    script: ScriptName,
    queue: LaneQueue,
    args: readonly (string | Uint8Array)[],
    count: number,
  ): Promise<LaneReply> => {
    const problem = connection.isCluster ? hashTagProblem(queue) : undefined;
    if (problem !== undefined) throw new LanewiseError('QUEUE_UNAVAILABLE', problem);
    const bytes = args.map((arg) => (typeof arg === 'string' ? arg : asBuffer(arg)));
    const all = [queue.kind, queue.envelope ?? 'json', ...bytes];
    const keys = [baseKeyOf(queue)];
    try {
      const reply =
        count === 0
          ? connection.runBytes(script, keys, all)
          : connection.runReplicated(script, keys, all, count);
      return replyOf(await reply, script);
    } catch (error) {
      throw rejection(error);
    }
  };
  return {
    run: (script, queue, ...args) => run(script, queue, args, 0),
    runReplicated: (script, queue, ...args) => run(script, queue, args, replicas),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What `expect` in the scripts says of a key that somebody else uses. */
const WRONG_TYPE = /LANETYPE (\S+) (\S+) (.*?)(?: script: [0-9a-f]{40}.*)?$/s;

function rejection(error: unknown): unknown {
  const [, found, wanted, key] = (error instanceof Error && WRONG_TYPE.exec(error.message)) || [];
  if (found === undefined) return error;
  const message = `the Redis key "${String(key)}" holds a ${found} where the queue needs a ${String(wanted)}`;
  return new LanewiseError('QUEUE_UNAVAILABLE', `${message}: move it away, or give the queue another name`, {
    cause: error,
  });
}

function replyOf(reply: unknown, script: string): LaneReply {
  const items: readonly unknown[] = Array.isArray(reply) ? reply : [reply];
  const name = `answer of ${script}`;
  let at = 0;
  const bytes = (): Buffer => {
    const item = items[at++];
    if (!Buffer.isBuffer(item)) throw damaged(name, `not bytes but ${typeof item}`);
    return item;
  };
  const text = (): string => bytes().toString();
  return {
    get isOver() {
      return at >= items.length;
    },
    bytes,
    text,
    count() {
      const count = Number(text());
      if (!Number.isSafeInteger(count)) throw damaged(name, 'not a count');
      return count;
    },
    lane() {
      const word = text();
      const lane = LANES.find((known) => known === word);
      if (lane === undefined) throw damaged(name, `unknown lane ${word}`);
      return lane;
    },
  };
}
