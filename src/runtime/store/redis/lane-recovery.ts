import type { LaneQueue } from '../../../core/lane-keys.ts';
import { decodeJob } from '../../../core/queue-job.ts';
import { triedJob } from '../lane-jobs.ts';
import type { LaneCalls, LaneReply } from './lane-calls.ts';

/**
 * Jobs of dead consumers go back a chunk at a time, from the newest to the oldest, so that after each step, and whoever
 * continues, the oldest come to be at the front.
 */
export async function recoverJobs(calls: LaneCalls, queue: LaneQueue): Promise<{ recovered: number }> {
  let recovered = 0;
  for (;;) {
    const { found, returned } = await (queue.kind === 'stream'
      ? recoverEntries(calls, queue)
      : recoverFromHands(calls, queue));
    recovered += returned;
    // Found but not returned: somebody else does the same, or their consumer is back.
    if (found === 0 || returned === 0) return { recovered };
  }
}

interface RecoveryStep {
  readonly found: number;
  readonly returned: number;
}

async function recoverEntries(calls: LaneCalls, queue: LaneQueue): Promise<RecoveryStep> {
  const returned = (await calls.run('recoverEntries', queue)).count();
  return { found: returned, returned };
}

async function recoverFromHands(calls: LaneCalls, queue: LaneQueue): Promise<RecoveryStep> {
  const reply = await calls.run('listExpiredJobs', queue);
  const args: (string | Uint8Array)[] = [];
  while (!reply.isOver) args.push(...expiredJob(queue, reply));
  const found = args.length / 5;
  if (found === 0) return { found, returned: 0 };
  return { found, returned: (await calls.run('returnJobs', queue, 'expired', ...args)).count() };
}

function expiredJob(queue: LaneQueue, reply: LaneReply): readonly (string | Uint8Array)[] {
  const lane = reply.lane();
  const consumer = reply.text();
  const receipt = reply.text();
  const stored = { note: reply.text(), payload: reply.bytes() };
  const content = decodeJob(queue.envelope ?? 'json', stored, { lane, fallbackId: receipt });
  const { note, payload } = triedJob({ queue, stored, content });
  return [lane, consumer, receipt, note, payload];
}
