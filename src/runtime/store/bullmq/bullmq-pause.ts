import { randomUUID } from 'node:crypto';
import type { Queue } from 'bullmq';
import type { LaneQueue } from '../../../core/lane-keys.ts';
import type { LaneCalls } from '../redis/lane-calls.ts';

/**
 * While the canary's queue is emptied it is paused, through BullMQ, so that its workers take nothing new: only then can a
 * job not become active between being looked at and being removed. It stays paused, since nothing belongs in it until
 * the next deployment; the first job that the fences let into it resumes it.
 *
 * A token in a key of ours tells our pause from one that the owner made, which is not ours to end. It is written before
 * the pause and taken away after the end of it, so that a crash in between leaves a token too many, never a pause that
 * nobody ends. Each pause has a new token: who resumes for an old one while a new one is being made sees that, and pauses
 * again.
 */
export async function pauseCanary(calls: LaneCalls, lanes: LaneQueue, canary: Queue): Promise<void> {
  const held = (await canary.isPaused()) ? 'held' : '';
  const isOurs = (await calls.run('notePause', lanes, randomUUID(), held)).text() === '1';
  if (isOurs) await canary.pause();
}

/** @param token of the pause that is to end */
export async function resumeCanary(
  calls: LaneCalls,
  lanes: LaneQueue,
  canary: Queue,
  token: string,
): Promise<void> {
  await canary.resume();
  const newer = (await calls.run('forgetPause', lanes, token)).text();
  if (newer !== '') await canary.pause();
}
