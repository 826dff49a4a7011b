import { useMemo, useState } from 'preact/hooks';
import type { DeploymentEvent, DetailedDeployment } from '../../../src/client/api-types.ts';
import { now } from '../live/clock.ts';
import { useHistory } from '../live/history.ts';
import { useWatchedDeployment, type WatchedDeployment } from '../live/watched-deployment.ts';
import { age, clockTime, words } from '../model/format.ts';
import { marksOf } from '../model/history.ts';
import { hashOf } from '../model/place.ts';
import { stageProgress } from '../model/stage-progress.ts';
import { HealthBadge, StatusBadge } from '../parts/badge.tsx';
import { Charts } from '../parts/charts.tsx';
import { Checks } from '../parts/checks.tsx';
import { Comparison } from '../parts/comparison.tsx';
import { Actions } from '../parts/deployment-actions.tsx';
import { DeploymentFacts } from '../parts/deployment-facts.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { Events } from '../parts/events.tsx';
import { Icon } from '../parts/icon.tsx';
import { RefusalNote } from '../parts/refusal-note.tsx';
import { Split } from '../parts/split.tsx';

const NO_EVENTS: readonly DeploymentEvent[] = [];

/** One roll-out: how it is split, how both versions do, what the checks say of it, and what happened. */
export function DeploymentPage({ id }: { readonly id: string }) {
  const [window, setWindow] = useState<string>();
  const watched = useWatchedDeployment(id);
  const { deployment, problem, isDeleted, events = NO_EVENTS } = watched;
  // The API always says it of a deployment; only profiles leave it out.
  const ownWindow = deployment?.config.metrics_window ?? '5m0s';
  const points = useHistory(id, deployment && (window ?? ownWindow), watched.metrics?.stable.timestamp);
  const marks = useMemo(() => marksOf(events), [events]);
  if (isDeleted === true) return <Gone />;
  if (deployment === undefined) {
    if (problem?.code === 'DEPLOYMENT_NOT_FOUND') return <Gone />;
    return problem === undefined ? <Loading /> : <RefusalNote refusal={problem} />;
  }
  const { metrics = deployment.metrics, health } = watched;
  return (
    <div class="deployment">
      <Head deployment={deployment} watched={watched} />
      <Split
        deployment={deployment}
        etag={watched.etag}
        metrics={metrics}
        evidence={health?.evidence}
        progress={stageProgress(deployment, events, now.value)}
        onChange={watched.reload}
      />
      <Charts points={points} marks={marks} ownWindow={ownWindow} window={window} onWindow={setWindow} />
      <div class="columns">
        <Comparison metrics={metrics} window={ownWindow} />
        <Checks health={health} />
      </div>
      <div class="columns columns-loose">
        <Events events={events} />
        <DeploymentFacts deployment={deployment} />
      </div>
    </div>
  );
}

function Head(props: { readonly deployment: DetailedDeployment; readonly watched: WatchedDeployment }) {
  const { deployment, watched } = props;
  const health = watched.health?.overall_status ?? deployment.health;
  const startedAt = Date.parse(deployment.start_time);
  return (
    <div class="page-head">
      <div>
        <p class="crumbs">
          <a href={hashOf({ page: 'deployments' })}>Deployments</a>
        </p>
        <h1>
          {deployment.queue_name}
          {deployment.tenant_id !== undefined && <span class="tag">{deployment.tenant_id}</span>}
        </h1>
        <p class="head-line">
          <span class="versions">
            <span class="version version-stable">{deployment.stable_version}</span>
            <Icon name="arrow" />
            <span class="unseen">to</span>
            <span class="version version-canary">{deployment.canary_version}</span>
          </span>
          <StatusBadge status={deployment.status} />
          {deployment.completed_at === undefined && <HealthBadge health={health} />}
          <span class="quiet">
            {words(deployment.config.routing_strategy)}, begun {age(now.value - startedAt)} ago (
            {clockTime(startedAt, now.value)}) by {deployment.created_by}
          </span>
        </p>
      </div>
      <Actions deployment={deployment} etag={watched.etag} onChange={watched.reload} />
    </div>
  );
}

function Gone() {
  return (
    <Empty title="There is no such deployment">
      <p>
        It has been deleted, or never was, or belongs to another tenant.{' '}
        <a href={hashOf({ page: 'deployments' })}>All deployments</a>
      </p>
    </Empty>
  );
}
