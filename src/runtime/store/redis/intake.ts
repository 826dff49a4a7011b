import { createHash } from 'node:crypto';
import { LanewiseError } from '../../../core/errors.ts';
import type { IntakeContent } from '../../../core/intake-job.ts';
import type { Intake, LaneQueue } from '../../../core/lane-keys.ts';
import { encodeJob } from '../../../core/queue-job.ts';
import type { IntakeEntry, IntakeStore } from '../intake-store.ts';
import type { BlockingCall } from './blocking.ts';
import type { RedisConnection } from './connection.ts';
import { createLaneCalls, type LaneReply } from './lane-calls.ts';
import type { ScriptName } from './scripts.ts';

export function createIntake(connection: RedisConnection): IntakeStore {
  const calls = createLaneCalls(connection);
  const run = async (
    script: ScriptName,
    queue: LaneQueue,
    ...args: readonly (string | Uint8Array)[]
  ): Promise<LaneReply> => {
    const { key, group } = intakeOf(queue);
    try {
      return await calls.run(script, queue, key, group, ...args);
    } catch (error) {
      throw unknownGroup(queue, error) ?? error;
    }
  };

  return {
    async readIntake(queue, { router, turnMs, max }) {
      const reply = await run('readIntake', queue, router, String(Math.ceil(turnMs)), String(max));
      if (reply.text() === 'held') return { kind: 'held', forMs: reply.count() };
      const after = reply.text();
      const entries: IntakeEntry[] = [];
      while (!reply.isOver) entries.push(queue.kind === 'list' ? element(reply) : entry(reply));
      return { kind: 'read', entries, after };
    },

    async moveIntake(queue, entries, { epoch, revision }) {
      const args = entries.flatMap(({ mark, job }) => [
        job.lane,
        mark,
        queue.envelope === 'raw' ? '' : encodeJob('json', job).payload,
      ]);
      const reply = await run('moveIntake', queue, epoch, String(revision), ...args);
      return reply.text() === 'stale' ? { kind: 'stale' } : { kind: 'moved', count: reply.count() };
    },

    async waitForIntake(queue, { after, waitMs, signal }) {
      await connection.block(waitingCall(queue, after, Math.max(1, Math.ceil(waitMs))), signal);
    },

    async endIntakeTurn(queue, router) {
      await calls.run('endIntakeTurn', queue, router);
    },

    readIntakeDepth: async (queue) => (await run('readIntakeDepth', queue)).count(),
  };
}

function intakeOf({ name, intake }: LaneQueue): Intake {
  if (intake === undefined) throw new Error(`the queue ${name} has no intake`);
  return intake;
}

function element(reply: LaneReply): IntakeEntry {
  const payload = reply.bytes();
  // As Redis' sha1hex.
  return { mark: createHash('sha1').update(payload).digest('hex'), content: { kind: 'element', payload } };
}

function entry(reply: LaneReply): IntakeEntry {
  const mark = reply.text();
  const fields: [string, Uint8Array][] = [];
  for (let parts = reply.count(); parts > 0; parts -= 2) fields.push([reply.text(), reply.bytes()]);
  const content: IntakeContent = { kind: 'entry', fields };
  return { mark, content };
}

/**
 * Commands that wait for a job and leave it where it is: a list's last element that is moved to its own place, and a
 * stream that is read by no group.
 */
function waitingCall(queue: LaneQueue, after: string, ms: number): BlockingCall {
  const { key } = intakeOf(queue);
  const [command, ...args] =
    queue.kind === 'list'
      ? (['BLMOVE', key, key, 'RIGHT', 'RIGHT', (ms / 1_000).toFixed(3)] as const)
      : (['XREAD', 'COUNT', '1', 'BLOCK', String(ms), 'STREAMS', key, after] as const);
  return { key, send: (client) => client.call(command, ...args), waitMs: ms };
}

/** What the scripts say of a stream that groups read, but not the one that was named. */
const UNKNOWN_GROUP = /INTAKEGROUP (.+?) \S+(?: script: [0-9a-f]{40}.*)?$/s;

function unknownGroup(queue: LaneQueue, error: unknown): LanewiseError | undefined {
  const [, other] = (error instanceof Error && UNKNOWN_GROUP.exec(error.message)) || [];
  if (other === undefined) return undefined;
  const { key, group } = intakeOf(queue);
  return new LanewiseError(
    'QUEUE_UNAVAILABLE',
    `the stream "${key}" is read by the consumer group "${other}", and has none named "${group}": set ` +
      `queues.${queue.name}.intake.group to the group whose workers the lanes take the place of, so that what it has ` +
      `read already isn't run again`,
    { cause: error },
  );
}
