import { byteString } from '../../src/core/hash.ts';
import { readIntakeJob, type IntakePaths } from '../../src/core/intake-job.ts';
import { isNamed, JOB_KEY } from '../../src/core/names.ts';
import type { IntakeEntry, RoutedEntry } from '../../src/runtime/store/intake-store.ts';
import type { RouteHead } from '../../src/runtime/store/store.ts';
import type { JobDraft } from '../enqueue-draft.ts';
import { jobOf, planEnqueue, type LaneRoutes } from '../enqueue-plan.ts';

/** To which lane each of some jobs goes that stand in an intake: the same decision as for jobs that are dispatched. */
export interface IntakePlan {
  readonly entries: readonly PlannedEntry[];
  readonly routedBy: RouteHead;
}

export interface PlannedEntry extends RoutedEntry {
  /** Where an id or a key was asked for, and the job isn't what it could be read from. */
  readonly isUnreadable: boolean;
}

export interface IntakePlanContext {
  readonly routes: LaneRoutes;
  readonly paths: IntakePaths;
  readonly newJobId: () => string;
  readonly now: () => number;
  readonly random: () => number;
}

export function planIntake(
  { routes, paths, newJobId, now, random }: IntakePlanContext,
  queue: string,
  entries: readonly IntakeEntry[],
): IntakePlan {
  const read = entries.map(({ mark, content }) => ({ mark, ...readIntakeJob(content, paths) }));
  const drafts = read.map(({ id: written, key, body }): JobDraft => {
    const id = idOf(written) ?? newJobId();
    return {
      id,
      key: key === undefined ? id : byteString(key),
      tenant: undefined,
      override: undefined,
      content: { headers: {}, body },
    };
  });
  const { jobs, routedBy } = planEnqueue(routes, queue, drafts, true, random);
  const enqueuedAt = now();
  return {
    routedBy,
    entries: read.map(({ mark, isUnreadable }, i) => {
      const planned = jobs[i]!;
      // Of what the canary's share is, nothing is known that can't be read; stable has dealt with such jobs until now.
      const job = jobOf(isUnreadable ? { ...planned, lane: 'stable' } : planned, enqueuedAt);
      return { mark, job, isUnreadable };
    }),
  };
}

/** One that can't be in a header is none. */
function idOf(written: string | undefined): string | undefined {
  if (written === undefined) return undefined;
  const id = byteString(written);
  return isNamed(JOB_KEY, id) ? id : undefined;
}
