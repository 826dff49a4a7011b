import { useState } from 'preact/hooks';
import type { Deployment } from '../../../src/client/api-types.ts';
import { now } from '../live/clock.ts';
import { useLiveRow } from '../live/live-row.ts';
import { usePolled } from '../live/polled.ts';
import { inOrder, isOpen, matches, type Filter, type StatusFilter } from '../model/deployment.ts';
import { age, milliseconds, percent, plural, share as shareText, UNKNOWN, words } from '../model/format.ts';
import { hashOf } from '../model/place.ts';
import { actualShare, type ActualShare } from '../model/share.ts';
import { OperateButton } from '../parts/ability.tsx';
import { HealthBadge, StatusBadge } from '../parts/badge.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { RefusalNote } from '../parts/refusal-note.tsx';
import { SplitBar } from '../parts/split-bar.tsx';

/** All roll-outs: what runs, how it is split, and whether it is well. */

const POLL_MS = 10_000;
/** Each row that is watched has a connection of its own, and opening one counts as a request. */
const WATCHED_MAX = 10;

const CREATE_COMMAND = `npm run lanewise -- deployments create payment-processing \\
  --stable v1.2.0 --canary v1.3.0`;

export function DeploymentsPage({ onNew }: { readonly onNew: () => void }) {
  const [filter, setFilter] = useState<Filter>({ status: 'all', queue: '' });
  const { data, problem, reload } = usePolled('deployments', POLL_MS, async (client) =>
    inOrder((await client.listDeployments()).deployments),
  );
  const shown = data?.filter((deployment) => matches(deployment, filter)) ?? [];
  const open = data?.filter(isOpen).length ?? 0;
  return (
    <>
      <div class="page-head">
        <div>
          <h1>Deployments</h1>
          <p class="quiet">{data === undefined ? '\u00a0' : `${open} open, ${data.length - open} ended`}</p>
        </div>
        <OperateButton kind="main" onClick={onNew}>
          <Icon name="plus" />
          New deployment
        </OperateButton>
      </div>
      {data === undefined && (problem === undefined ? <Loading /> : <RefusalNote refusal={problem} />)}
      {data?.length === 0 && (
        <Empty title="No deployment yet" command={CREATE_COMMAND}>
          <p>
            A deployment gives a share of a queue’s jobs to a new version of its workers, watches both, and
            promotes it or takes it back. Press <kbd>n</kbd> to begin one here, or use the command line:
          </p>
        </Empty>
      )}
      {data !== undefined && data.length > 0 && (
        <>
          <Filters filter={filter} onChange={setFilter} deployments={data} />
          {shown.length === 0 && (
            <p class="loading">None of {plural(data.length, 'deployment')} is like that.</p>
          )}
          {shown.length > 0 && <List deployments={shown} onChange={reload} />}
        </>
      )}
    </>
  );
}

const STATUS_FILTERS: readonly StatusFilter[] = [
  'all',
  'open',
  'ended',
  'active',
  'paused',
  'promoting',
  'rolling_back',
  'completed',
  'failed',
];

function Filters(props: {
  readonly filter: Filter;
  readonly onChange: (filter: Filter) => void;
  readonly deployments: readonly Deployment[];
}) {
  const { filter, onChange } = props;
  const queues = [...new Set(props.deployments.map(({ queue_name }) => queue_name))].toSorted();
  return (
    <div class="filters">
      <label>
        <span class="unseen">Status</span>
        <select
          value={filter.status}
          onChange={({ currentTarget }) =>
            onChange({ ...filter, status: currentTarget.value as StatusFilter })
          }
        >
          {STATUS_FILTERS.map((status) => (
            <option key={status} value={status}>
              {status === 'all' ? 'Every status' : words(status)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="unseen">Queue or tenant</span>
        <input
          type="search"
          placeholder="Queue or tenant"
          list="queues"
          value={filter.queue}
          onInput={({ currentTarget }) => onChange({ ...filter, queue: currentTarget.value })}
        />
      </label>
      <datalist id="queues">
        {queues.map((queue) => (
          <option key={queue} value={queue} />
        ))}
      </datalist>
    </div>
  );
}

function List(props: { readonly deployments: readonly Deployment[]; readonly onChange: () => void }) {
  const watched = new Set(props.deployments.filter(isOpen).slice(0, WATCHED_MAX));
  return (
    <div class="list list-deployments">
      <div class="list-head" aria-hidden="true">
        <span>Status</span>
        <span>Queue</span>
        <span>Versions</span>
        <span>Canary’s share</span>
        <span>Health</span>
        <span class="number">Errors</span>
        <span class="number">p95</span>
        <span class="number">Age</span>
      </div>
      <ul>
        {props.deployments.map((deployment) => (
          <Row
            key={deployment.id}
            deployment={deployment}
            isWatched={watched.has(deployment)}
            onChange={props.onChange}
          />
        ))}
      </ul>
    </div>
  );
}

function Row(props: {
  readonly deployment: Deployment;
  readonly isWatched: boolean;
  readonly onChange: () => void;
}) {
  const { deployment, isWatched } = props;
  const { metrics, health } = useLiveRow(deployment.id, isWatched, props.onChange);
  const actual = metrics && actualShare(deployment, metrics, undefined);
  return (
    <li class={isOpen(deployment) ? 'row' : 'row row-ended'}>
      <span class="cell-status">
        <StatusBadge status={deployment.status} />
      </span>
      <span class="cell-name">
        <a href={hashOf({ page: 'deployment', id: deployment.id })} data-item class="row-link">
          {deployment.queue_name}
        </a>
        {deployment.tenant_id !== undefined && <span class="tag">{deployment.tenant_id}</span>}
        <span class="quiet by">by {deployment.created_by}</span>
      </span>
      <Versions deployment={deployment} />
      <span class="cell-share">
        <SplitBar
          set={deployment.current_percent}
          actual={actual?.percent ?? null}
          isFinal={!isOpen(deployment)}
        />
        <span class="share-text">
          <strong>{shareText(deployment.current_percent)}</strong>
          <span class="quiet">{shareWords(deployment, actual)}</span>
        </span>
      </span>
      <span class="cell-health">
        {health !== undefined ? <HealthBadge health={health} /> : <span class="quiet">–</span>}
      </span>
      <Pair
        name="Errors"
        canary={percent(metrics?.canary.error_rate)}
        stable={percent(metrics?.stable.error_rate)}
      />
      <Pair
        name="p95"
        canary={milliseconds(metrics?.canary.p95_latency)}
        stable={milliseconds(metrics?.stable.p95_latency)}
      />
      <span class="number cell-age" title={new Date(deployment.start_time).toLocaleString('en')}>
        {age(now.value - Date.parse(deployment.start_time))}
      </span>
    </li>
  );
}

function shareWords(deployment: Deployment, actual: ActualShare | undefined): string {
  if (!isOpen(deployment))
    return deployment.status === 'completed' ? 'since its promotion' : 'since its rollback';
  return actual === undefined ? 'set' : `set, ${percent(actual.percent)} ${actual.name}`;
}

function Versions({ deployment }: { readonly deployment: Deployment }) {
  return (
    <span class="versions">
      <span class="version version-stable">{deployment.stable_version}</span>
      <Icon name="arrow" />
      <span class="unseen">to</span>
      <span class="version version-canary">{deployment.canary_version}</span>
    </span>
  );
}

function Pair(props: { readonly name: string; readonly canary: string; readonly stable: string }) {
  if (props.canary === UNKNOWN && props.stable === UNKNOWN)
    return <span class="number pair quiet pair-unknown">–</span>;
  return (
    <span class="number pair">
      <span class="unseen">{props.name} of the canary </span>
      <span class="of-canary lane-name lane-canary">{props.canary}</span>
      <span class="unseen">, of stable </span>
      <span class="quiet of-stable lane-name lane-stable">{props.stable}</span>
    </span>
  );
}
