import { useState } from 'preact/hooks';
import type { Worker } from '../../../src/client/api-types.ts';
import { now } from '../live/clock.ts';
import { usePolled } from '../live/polled.ts';
import { age, count, megabytes, milliseconds, percent, plural } from '../model/format.ts';
import { WorkerBadge } from '../parts/badge.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { RefusalNote } from '../parts/refusal-note.tsx';

/** Who runs the jobs. */

const POLL_MS = 10_000;

const REGISTER_COMMAND = `npm run lanewise -- workers register stable-1 --worker-version v1.2.0 \\
  --queues payment-processing --worker-url http://127.0.0.1:3001`;

export function WorkersPage() {
  const [search, setSearch] = useState('');
  const { data, problem } = usePolled(
    'workers',
    POLL_MS,
    async (client) => (await client.listWorkers()).workers,
  );
  const shown = data?.filter((worker) => isFound(worker, search.trim().toLowerCase())) ?? [];
  const up = data?.filter(({ status }) => status === 'healthy' || status === 'degraded').length ?? 0;
  return (
    <>
      <div class="page-head">
        <div>
          <h1>Workers</h1>
          <p class="quiet">{data === undefined ? '\u00a0' : `${plural(data.length, 'worker')}, ${up} up`}</p>
        </div>
      </div>
      {data === undefined && (problem === undefined ? <Loading /> : <RefusalNote refusal={problem} />)}
      {data?.length === 0 && (
        <Empty title="No worker is registered" command={REGISTER_COMMAND}>
          <p>
            A worker is any HTTP server that runs jobs of some queues, at one version. It registers itself,
            its sidecar does (<code>lanewise proxy --worker</code>), or you do:
          </p>
        </Empty>
      )}
      {data !== undefined && data.length > 0 && (
        <>
          <div class="filters">
            <label>
              <span class="unseen">Search workers</span>
              <input
                type="search"
                placeholder="Id, version or queue"
                value={search}
                onInput={({ currentTarget }) => setSearch(currentTarget.value)}
              />
            </label>
          </div>
          {shown.length === 0 ? (
            <p class="loading">None of {plural(data.length, 'worker')} is like that.</p>
          ) : (
            <WorkerList workers={shown} />
          )}
        </>
      )}
    </>
  );
}

function isFound({ id, version, queues }: Worker, wanted: string): boolean {
  return [id, version, ...queues].some((text) => text.toLowerCase().includes(wanted));
}

function WorkerList({ workers }: { readonly workers: readonly Worker[] }) {
  return (
    <div class="list list-workers">
      <div class="list-head" aria-hidden="true">
        <span>Status</span>
        <span>Worker</span>
        <span>Version</span>
        <span>Queues</span>
        <span class="number">Jobs</span>
        <span class="number">Failed</span>
        <span class="number">Time a job</span>
        <span class="number">Memory</span>
        <span class="number">Seen</span>
      </div>
      <ul>
        {workers.map((worker) => (
          <Row key={worker.id} worker={worker} />
        ))}
      </ul>
    </div>
  );
}

function Row({ worker }: { readonly worker: Worker }) {
  const { metrics } = worker;
  return (
    <li class="row" tabIndex={0} data-item>
      <span class="cell-status">
        <WorkerBadge status={worker.status} />
      </span>
      <span class="cell-name">
        <span class="name">{worker.id}</span>
        <span class="quiet by">{worker.url ?? 'takes its jobs itself'}</span>
      </span>
      <span class="cell-version">
        <span class={`version version-${worker.lane}`}>{worker.version}</span>{' '}
        <span class="quiet">{worker.lane}</span>
      </span>
      <span class="cell-queues quiet">{worker.queues.join(', ')}</span>
      <Number name="Jobs" value={count(metrics.jobs_processed)} />
      <Number
        name="Failed"
        value={
          metrics.jobs_processed === 0 ? '–' : percent((100 * metrics.jobs_failed) / metrics.jobs_processed)
        }
      />
      <Number name="Time a job" value={milliseconds(metrics.avg_processing_time)} />
      <Number name="Memory" value={megabytes(metrics.memory_usage_mb)} />
      <Number name="Seen" value={age(now.value - Date.parse(worker.last_seen))} />
    </li>
  );
}

function Number({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <span class="number labelled">
      <span class="label">{name} </span>
      {value}
    </span>
  );
}
