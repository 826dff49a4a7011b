import type { Queue } from '../../client/api-types.ts';
import type { Lane } from '../../core/lane.ts';
import { UsageError } from '../exit-codes.ts';
import type { Column } from '../table.ts';
import { age, figure } from './figures.ts';
import type { Session } from './session.ts';

/** `lanewise queues …` */

export const QUEUE_COLUMNS: readonly Column[] = [
  { title: 'QUEUE' },
  { title: 'STRATEGY' },
  { title: 'STABLE', align: 'right' },
  { title: 'CANARY', align: 'right' },
  { title: 'IN FLIGHT', align: 'right' },
  { title: 'DEAD', align: 'right' },
  { title: 'PROBLEM' },
];

export function queueRow({ name, strategy, lanes, dead, problem = '' }: Queue): readonly string[] {
  const waiting = (lane: Lane): string =>
    figure(lanes === null ? null : lanes[lane].waiting + lanes[lane].delayed);
  const inFlight = lanes === null ? null : lanes.stable.in_flight + lanes.canary.in_flight;
  return [name, strategy, waiting('stable'), waiting('canary'), figure(inFlight), figure(dead), problem];
}

export async function listQueues(session: Session): Promise<void> {
  const { queues } = await session.client.listQueues();
  session.show(queues, () =>
    queues.length === 0 ? ['No queues.'] : session.table(QUEUE_COLUMNS, queues.map(queueRow)),
  );
}

export async function listDead(session: Session, queue: string, page: number): Promise<void> {
  const answer = await session.client.listDeadJobs({ queue, page, page_size: 100 });
  const now = new Date();
  session.show(answer, () => {
    const { data, pagination } = answer;
    if (data.length === 0) return ['No dead jobs.'];
    const rows = data.map((job) => [
      job.id,
      job.job_id ?? '–',
      job.lane,
      figure(job.attempts),
      age(job.at, now),
      job.reason,
    ]);
    const columns: readonly Column[] = [
      { title: 'ID' },
      { title: 'JOB' },
      { title: 'LANE' },
      { title: 'ATTEMPTS', align: 'right' },
      { title: 'AGE', align: 'right' },
      { title: 'REASON' },
    ];
    const more = pagination.has_next
      ? [`${pagination.total_items} in all; next: --page ${pagination.page + 1}`]
      : [];
    return [...session.table(columns, rows), ...more];
  });
}

export interface DeadSelection {
  readonly ids: readonly string[];
  readonly all?: boolean;
}

/** @throws UsageError unless exactly one of both is given */
function bodyOf({ ids, all = false }: DeadSelection): { ids: readonly string[] } | { all: true } {
  if (all === ids.length > 0) throw new UsageError('Name the ids of dead jobs, or say --all, and not both');
  return all ? { all: true } : { ids };
}

export async function requeue(
  session: Session,
  queue: string,
  selection: DeadSelection,
  lane: Lane,
): Promise<void> {
  const answer = await session.client.requeueDeadJobs({ queue, body: { ...bodyOf(selection), lane } });
  session.show(answer, () => [`${answer.count} jobs of ${queue} wait again, in ${lane}`]);
}

export async function drop(session: Session, queue: string, selection: DeadSelection): Promise<void> {
  const body = bodyOf(selection);
  const what = 'all' in body ? 'all dead jobs' : `${body.ids.length} dead jobs`;
  await session.confirm(`Drop ${what} of ${queue} for good?`);
  const answer = await session.client.dropDeadJobs({ queue, body });
  session.show(answer, () => [`${answer.count} dead jobs of ${queue} are gone`]);
}
