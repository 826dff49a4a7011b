import { isDraining, nextStatus } from '../../src/core/deployment-states.ts';
import type { Deployment } from '../../src/core/deployment.ts';
import { formatDuration } from '../../src/core/duration.ts';
import { event, next, statusChange, type Decide } from '../deployment-changes.ts';
import { Outdated } from './outdated.ts';
import type { DrainOutcome, DrainVerdict } from './drain-verdict.ts';

/** What a look at a deployment's canary lane makes of its record. Pure. */

/**
 * @param seen the deployment that was looked at; if another decision came in between, only the moved jobs are noted
 * @throws Outdated if it was finished by somebody else, or there is nothing to note
 */
export function afterPass(seen: Deployment, moved: number, verdict: DrainVerdict): Decide {
  return (before, _route, circumstances) => {
    if (!isDraining(before.status)) throw new Outdated();
    const { drain = { since: before.lastUpdate, moved: 0 }, ...rest } = before;
    const total = drain.moved + moved;
    const isSame = before.status === seen.status && drain.since === seen.drain?.since;
    if (!isSame && moved === 0) throw new Outdated();
    if (verdict.kind === 'go_on' || !isSame) {
      return { deployment: next(before, circumstances, { drain: { ...drain, moved: total } }), events: [] };
    }
    const status = nextStatus(before.status, 'finish');
    const deployment = next(rest, circumstances, { status, completedAt: circumstances.now });
    const { remaining, isIncomplete, keptFor } = verdict.outcome;
    const data = {
      drained: total,
      remaining,
      drain_incomplete: isIncomplete,
      ...(keptFor.length > 0 && { lane_kept_for: keptFor }),
      ...statusChange(before, deployment),
    };
    const message = inWords(before, total, verdict.outcome);
    return { deployment, events: [event(before, circumstances, 'lane_drained', message, data)] };
  };
}

function inWords({ config }: Deployment, moved: number, outcome: DrainOutcome): string {
  const { remaining, isIncomplete, keptFor } = outcome;
  if (keptFor.length > 0) {
    return `Canary lane kept for ${keptFor.join(', ')}: ${jobs(remaining ?? 0)} in it, each goes where its route says`;
  }
  if (!isIncomplete) return `Canary lane drained: ${jobs(moved)} moved to stable`;
  const rest = remaining === null ? 'how many remain is not known' : `${remaining} remain`;
  return `Canary lane not drained within ${formatDuration(config.drainTimeoutMs)}: ${jobs(moved)} moved to stable, ${rest}`;
}

/** Jobs that nobody took went to stable while the deployment is open. */
export function strandedMoved(moved: number): Decide {
  return (before, _route, circumstances) => {
    if (before.status !== 'active' && before.status !== 'paused') throw new Outdated();
    const stranded = { moved: (before.stranded?.moved ?? 0) + moved, lastAt: circumstances.now };
    return { deployment: next(before, circumstances, { stranded }), events: [] };
  };
}

export function jobs(count: number): string {
  return count === 1 ? '1 job' : `${count} jobs`;
}
