import type { Lane } from '../../core/lane.ts';
import type { Worker, WorkerRequest } from '../../client/api-types.ts';
import { paintOf } from './colours.ts';
import { age, figure } from './figures.ts';
import type { Session } from './session.ts';

/** `lanewise workers …` */

export interface WorkerFilter {
  readonly lane?: Lane;
  readonly queue?: string;
  readonly status?: Worker['status'];
  // `version` would be commander's own.
  readonly ofVersion?: string;
}

export async function listWorkers(session: Session, { ofVersion, ...filter }: WorkerFilter): Promise<void> {
  const { lane, queue, status } = filter;
  const { workers } = await session.client.listWorkers({ lane, queue, status, version: ofVersion });
  const now = new Date();
  session.show(workers, () =>
    workers.length === 0
      ? ['No workers. Register one: lanewise workers register <id> --worker-version v1 --queues <queue>']
      : session.table(
          [
            { title: 'ID' },
            { title: 'VERSION' },
            { title: 'LANE' },
            { title: 'STATUS' },
            { title: 'QUEUES' },
            { title: 'JOBS', align: 'right' },
            { title: 'SEEN', align: 'right' },
            { title: 'URL' },
          ],
          workers.map((w) => [
            w.id,
            w.version,
            w.lane,
            { text: w.status, paint: paintOf(w.status, session.colours) },
            w.queues.join(','),
            figure(w.metrics.jobs_processed),
            age(w.last_seen, now),
            w.url ?? '–',
          ]),
        ),
  );
}

export async function registerWorker(session: Session, body: WorkerRequest): Promise<void> {
  const worker = await session.client.registerWorker({ body });
  session.show(worker, () => [
    `Registered ${worker.id}: ${worker.version}, ${worker.lane}, ${worker.queues.join(', ')}`,
  ]);
}

export async function setWorkerStatus(session: Session, id: string, status: Worker['status']): Promise<void> {
  const answer = await session.client.setWorkerStatus({ id, body: { status } });
  session.show(answer, () => [`${id} is ${answer.status}`]);
}

export async function deleteWorker(session: Session, id: string): Promise<void> {
  await session.confirm(`Take the worker ${id} out of the registry?`);
  await session.client.removeWorker({ id });
  session.show({ id }, () => [`Deleted ${id}`]);
}
