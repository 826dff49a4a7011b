import type { LaneQueue } from '../../core/lane-keys.ts';
import { reviseJob, type JobAttempt, type JobContent, type StoredJob } from '../../core/queue-job.ts';

/** What both stores write into a job between attempts. */
interface KeptJob {
  readonly queue: LaneQueue;
  readonly stored: StoredJob;
  readonly content: JobContent;
}

/** To be tried again. Without `ended` nothing is known of the attempt: its consumer died. */
export function triedJob(job: KeptJob, ended?: JobAttempt): StoredJob {
  return revised(job, attemptOf(job) + 1, ended);
}

/** Dead: its last attempt stays its last. */
export function deadJob(job: KeptJob, ended?: JobAttempt): StoredJob {
  return revised(job, attemptOf(job), ended);
}

/** Out of the dead, to begin anew. */
export function revivedJob(job: KeptJob): StoredJob {
  return revised(job, 1, undefined);
}

function attemptOf({ content }: KeptJob): number {
  return content.kind === 'job' ? content.job.attempt : 1;
}

function revised(
  { queue, stored, content }: KeptJob,
  attempt: number,
  ended: JobAttempt | undefined,
): StoredJob {
  const revision = { attempt, ...(ended !== undefined && { ended }) };
  return reviseJob(queue.envelope ?? 'json', stored, content, revision);
}
