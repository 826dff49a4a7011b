import { useState } from 'preact/hooks';
import type { DeploymentMetrics, DetailedDeployment, HealthEvidence } from '../../../src/client/api-types.ts';
import { readOnlyReason } from '../live/session.ts';
import { isMovable } from '../model/deployment.ts';
import { percent, perSecond, plural, share as shareText, UNKNOWN } from '../model/format.ts';
import { actualShare } from '../model/share.ts';
import type { StageProgress } from '../model/stage-progress.ts';
import { OperateButton } from './ability.tsx';
import { ActionDialog } from './action-dialog.tsx';
import { Stages } from './stages.tsx';
import { SplitBar } from './split-bar.tsx';

/** Where the jobs go: the share that was set, the one that is seen, and the slider that moves it. */
export function Split(props: {
  readonly deployment: DetailedDeployment;
  readonly etag: string | undefined;
  readonly metrics: DeploymentMetrics;
  /** Of the present percentage, if it is judged. */
  readonly evidence: HealthEvidence | undefined;
  readonly progress: StageProgress;
  readonly onChange: () => void;
}) {
  const { deployment, metrics } = props;
  const set = deployment.current_percent;
  const actual = actualShare(deployment, metrics, props.evidence);
  return (
    <section class="card split-card" aria-labelledby="split-title">
      <h2 id="split-title" class="unseen">
        Share of the canary
      </h2>
      <div class="figures">
        <Figure name="set" value={shareText(set)} tone="main" />
        <Figure
          name={actual?.name ?? 'actual'}
          value={actual === undefined ? UNKNOWN : percent(actual.percent)}
        />
        <Figure name="canary" value={perSecond(metrics.canary.jobs_per_second)} tone="canary" />
        <Figure name="stable" value={perSecond(metrics.stable.jobs_per_second)} tone="stable" />
        <InSync deployment={deployment} />
      </div>
      {isMovable(deployment) ? (
        <Mover {...props} actual={actual?.percent ?? null} />
      ) : (
        <div class="lanes">
          <SplitBar set={set} actual={null} isFinal />
        </div>
      )}
      <Stages deployment={deployment} progress={props.progress} />
    </section>
  );
}

function Figure(props: {
  readonly name: string;
  readonly value: string;
  readonly tone?: 'main' | 'canary' | 'stable';
}) {
  return (
    <div class={props.tone === undefined ? 'figure' : `figure figure-${props.tone}`}>
      <span class="figure-value">{props.value}</span>
      <span class="figure-name">{props.name}</span>
    </div>
  );
}

function InSync({ deployment }: { readonly deployment: DetailedDeployment }) {
  const { proxies, applied, revision } = deployment.routing;
  const isAll = proxies !== null && proxies > 0 && applied === proxies;
  return (
    <div
      class={isAll ? 'figure' : 'figure figure-behind'}
      title={`Proxies that route by revision ${revision}, of those that live`}
    >
      <span class="figure-value">
        {proxies === null || applied === null ? UNKNOWN : `${applied} of ${proxies}`}
      </span>
      <span class="figure-name">{isAll || proxies === null ? 'proxies in sync' : syncProblem(proxies)}</span>
    </div>
  );
}

function syncProblem(proxies: number): string {
  return proxies === 0 ? 'no proxy lives' : `${plural(proxies, 'proxy', 'proxies')}, not all in sync`;
}

function Mover(props: {
  readonly deployment: DetailedDeployment;
  readonly etag: string | undefined;
  readonly actual: number | null;
  readonly onChange: () => void;
}) {
  const { deployment, etag, actual, onChange } = props;
  const set = deployment.current_percent;
  const [draft, setDraft] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const wanted = draft === undefined ? set : Number(draft);
  const isMoved = draft !== undefined && draft.trim() !== '' && wanted !== set;
  const reason = readOnlyReason.value;
  const move = ({ currentTarget }: { currentTarget: HTMLInputElement }): void =>
    setDraft(currentTarget.value);
  return (
    <form
      class="mover"
      onSubmit={(event) => {
        event.preventDefault();
        if (isMoved) setAsking(true);
      }}
    >
      <div class="lanes">
        <SplitBar set={set} actual={actual} />
        <input
          type="range"
          class="lanes-slider"
          min="0"
          max="100"
          step="1"
          value={Number.isFinite(wanted) ? wanted : set}
          disabled={reason !== undefined}
          title={reason}
          aria-label="Share of the canary, percent"
          onInput={move}
        />
      </div>
      <div class="mover-line">
        <span class="lane-name lane-canary">canary {deployment.canary_version}</span>
        <span class="mover-set">
          {isMoved && (
            <>
              <button type="button" class="button button-bare" onClick={() => setDraft(undefined)}>
                Keep {shareText(set)}
              </button>
            </>
          )}
          <label>
            <span class="unseen">Share of the canary in percent</span>
            <input
              type="number"
              class="percentage"
              min="0"
              max="100"
              step="any"
              inputMode="decimal"
              value={draft ?? String(set)}
              disabled={reason !== undefined}
              onInput={move}
            />
            <span aria-hidden="true">%</span>
          </label>
          <OperateButton kind="main" isDisabled={!isMoved} onClick={() => setAsking(true)}>
            Set share…
          </OperateButton>
        </span>
        <span class="lane-name lane-stable">stable {deployment.stable_version}</span>
      </div>
      {isAsking && (
        <ActionDialog
          title={`Move the canary from ${shareText(set)} to ${shareText(wanted)}?`}
          confirm={`Set ${shareText(wanted)}`}
          act={async (client) => {
            await client.setPercentage({
              id: deployment.id,
              ifMatch: etag,
              body: { percentage: wanted },
            });
            setDraft(undefined);
          }}
          onDone={onChange}
          onClose={() => setAsking(false)}
        >
          <p>{consequence(set, wanted)}</p>
          {deployment.config.auto_promotion && <p class="quiet">The stages go on from there.</p>}
        </ActionDialog>
      )}
    </form>
  );
}

function consequence(from: number, to: number): string {
  if (to === 0) return 'No job goes to the canary any more; the deployment stays open.';
  const part = shareText(Math.round(Math.abs(to - from) * 100) / 100);
  return to > from
    ? `${part} of the keys move from stable to the canary. No key moves back.`
    : `${part} of the keys move from the canary back to stable. No key moves to the canary.`;
}
