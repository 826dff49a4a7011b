import { useState } from 'preact/hooks';
import type { DeadJob } from '../../../src/client/api-types.ts';
import { usePolled } from '../live/polled.ts';
import { plural } from '../model/format.ts';
import { hashOf } from '../model/place.ts';
import { OperateButton } from '../parts/ability.tsx';
import { ActionDialog } from '../parts/action-dialog.tsx';
import { DeadJobRow } from '../parts/dead-job-row.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { RefusalNote } from '../parts/refusal-note.tsx';

/** The dead letters of a queue: why each died, and what is to become of it. */

const POLL_MS = 10_000;
const PAGE_SIZE = 20;

export function DeadJobsPage({ queue }: { readonly queue: string }) {
  const [page, setPage] = useState(1);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const { data, problem, reload } = usePolled(`dead ${queue} ${page}`, POLL_MS, (client) =>
    client.listDeadJobs({ queue, page, page_size: PAGE_SIZE }),
  );
  const total = data?.pagination.total_items ?? 0;
  const done = (): void => {
    setSelected(new Set());
    reload();
  };
  const toggle = (id: string): void => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    setSelected(next);
  };
  return (
    <>
      <div class="page-head">
        <div>
          <p class="crumbs">
            <a href={hashOf({ page: 'queues' })}>Queues</a>
          </p>
          <h1>{queue}</h1>
          <p class="quiet">{data === undefined ? '\u00a0' : plural(total, 'dead letter')}</p>
        </div>
        {total > 0 && <DeadActions queue={queue} selected={selected} total={total} onDone={done} />}
      </div>
      {data === undefined && (problem === undefined ? <Loading /> : <RefusalNote refusal={problem} />)}
      {data !== undefined && total === 0 && (
        <Empty title="No dead letters" command={`npm run lanewise -- queues dead ${queue}`}>
          <p>
            A job that failed at every attempt ends here, with its history, and waits for you. On the command
            line:
          </p>
        </Empty>
      )}
      {data !== undefined && data.data.length > 0 && (
        <>
          <ul class="list dead-list">
            {data.data.map((job: DeadJob) => (
              <DeadJobRow
                key={job.id}
                job={job}
                isSelected={selected.has(job.id)}
                onToggle={() => toggle(job.id)}
              />
            ))}
          </ul>
          <nav class="pages" aria-label="Pages of dead letters">
            <button
              type="button"
              class="button"
              disabled={!data.pagination.has_prev}
              onClick={() => setPage(page - 1)}
            >
              Later
            </button>
            <span class="quiet">
              {page} of {Math.max(1, data.pagination.total_pages)}
            </span>
            <button
              type="button"
              class="button"
              disabled={!data.pagination.has_next}
              onClick={() => setPage(page + 1)}
            >
              Earlier
            </button>
          </nav>
        </>
      )}
    </>
  );
}

interface DeadActionsProps {
  readonly queue: string;
  readonly selected: ReadonlySet<string>;
  readonly total: number;
  readonly onDone: () => void;
}

function DeadActions({ queue, selected, total, onDone }: DeadActionsProps) {
  const [asked, setAsked] = useState<'requeue' | 'drop'>();
  const [lane, setLane] = useState<'stable' | 'canary'>('stable');
  const close = (): void => setAsked(undefined);
  const which = selected.size === 0 ? { all: true as const } : { ids: [...selected] };
  const what =
    selected.size === 0 ? `all ${plural(total, 'dead letter')}` : plural(selected.size, 'dead letter');
  const named = selected.size === 0 ? 'all' : String(selected.size);
  return (
    <div class="actions">
      <OperateButton kind="main" onClick={() => setAsked('requeue')}>
        Requeue {named}…
      </OperateButton>
      <OperateButton kind="danger" onClick={() => setAsked('drop')}>
        Drop {named}…
      </OperateButton>
      {asked === 'requeue' && (
        <ActionDialog
          title={`Requeue ${what}?`}
          confirm="Requeue"
          act={(client) => client.requeueDeadJobs({ queue, body: { ...which, lane } })}
          onDone={onDone}
          onClose={close}
        >
          <p>They go to the end of a lane and begin anew with attempt 1. Their history stays with them.</p>
          <label class="field">
            <span>Lane</span>
            <select
              value={lane}
              onChange={({ currentTarget }) => setLane(currentTarget.value as 'stable' | 'canary')}
            >
              <option value="stable">stable</option>
              <option value="canary">canary, while a deployment is open</option>
            </select>
          </label>
        </ActionDialog>
      )}
      {asked === 'drop' && (
        <ActionDialog
          title={`Drop ${what}?`}
          confirm="Drop for good"
          isDangerous
          act={(client) => client.dropDeadJobs({ queue, body: which })}
          onDone={onDone}
          onClose={close}
        >
          <p>They are gone then; nothing brings them back.</p>
        </ActionDialog>
      )}
    </div>
  );
}
