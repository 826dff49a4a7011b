import type { Journal } from '../journal.ts';
import type { QueuedJob } from '../queue-producers.ts';
import type { RedisLosses } from '../redis-faults.ts';
import type { Violations } from '../violations.ts';
import type { Execution } from '../worker-process.ts';

/**
 * Every accepted job is executed at least once, and more than once only around a fault. Redis may have lost a job where
 * it was flushed, or crashed before it had written what it had answered.
 */
export interface JobCounts {
  readonly accepted: number;
  readonly executed: number;
  readonly twice: number;
  readonly lostByRedis: number;
}

export function missing(jobs: readonly QueuedJob[], executions: readonly Execution[], losses: RedisLosses) {
  const done = new Set(executions.map(({ job }) => job));
  const notDone = jobs.filter(({ id, acceptedAt }) => acceptedAt !== undefined && !done.has(id));
  const lost = notDone.filter((job) => losses.mayHaveLost(job));
  return { lost, waiting: notDone.filter((job) => !losses.mayHaveLost(job)) };
}

export function checkJobs(
  jobs: readonly QueuedJob[],
  executions: readonly Execution[],
  { losses, journal, violations }: { losses: RedisLosses; journal: Journal; violations: Violations },
): JobCounts {
  const { lost, waiting } = missing(jobs, executions, losses);
  for (const { id, acceptedAt } of waiting)
    violations.add(
      'every accepted job is executed',
      `${id}, accepted at ${acceptedAt!.toFixed(0)}, never was`,
    );
  const runs = Map.groupBy(executions, ({ job }) => job);
  let twice = 0;
  for (const { id, firstSentAt } of jobs) {
    const all = runs.get(id) ?? [];
    if (all.length < 2) continue;
    twice++;
    const last = Math.max(...all.map(({ at }) => at));
    const isAroundFault = journal.troubles.some(({ from, to }) => from <= last && to >= firstSentAt);
    if (!isAroundFault) violations.add('twice only around a fault', `${id} was executed ${all.length} times`);
  }
  return {
    accepted: jobs.filter(({ acceptedAt }) => acceptedAt !== undefined).length,
    executed: runs.size,
    twice,
    lostByRedis: lost.length,
  };
}
