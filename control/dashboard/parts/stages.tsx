import type { DetailedDeployment } from '../../../src/client/api-types.ts';
import { isOpen } from '../model/deployment.ts';
import { share as shareText, span } from '../model/format.ts';
import type { StageProgress } from '../model/stage-progress.ts';

/** How far a roll-out has come, and what it waits for. */
export function Stages(props: { readonly deployment: DetailedDeployment; readonly progress: StageProgress }) {
  const { deployment, progress } = props;
  if (!isOpen(deployment)) return <p class="stage-line">{endedText(deployment, progress)}</p>;
  const { stage } = progress;
  return (
    <div class="stages">
      {stage !== undefined && <Track deployment={deployment} progress={progress} />}
      <p class="stage-line">
        <span>{stageText(deployment, progress)}</span>
        <span class="quiet">
          {span(progress.activeMs)} so far
          {progress.activeMs < progress.minMs ? `, at least ${span(progress.minMs)}` : ''}, at most{' '}
          {span(progress.maxMs)}
        </span>
      </p>
    </div>
  );
}

function Track({
  deployment,
  progress,
}: {
  readonly deployment: DetailedDeployment;
  readonly progress: StageProgress;
}) {
  const stage = progress.stage!;
  const current = deployment.current_percent;
  const reached = current + (stage.nextPercentage - current) * stage.fraction;
  const stops = [...(deployment.config.stages ?? []).map(({ percentage }) => percentage), 100];
  return (
    <div class="track">
      <svg
        viewBox="0 0 100 2"
        preserveAspectRatio="none"
        role="progressbar"
        aria-label={`Stage ${stage.number} of ${stage.of}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(stage.fraction * 100)}
      >
        <rect class="track-all" width="100" height="2" />
        <rect class="track-going" width={reached} height="2" />
        <rect class="track-done" width={current} height="2" />
      </svg>
      <ol aria-hidden="true">
        {stops.map((stop) => (
          <li key={stop} class={stop <= current ? 'stop stop-done' : 'stop'} style={{ left: `${stop}%` }}>
            {stop === 100 ? 'promote' : stop}
          </li>
        ))}
      </ol>
    </div>
  );
}

function stageText({ status, current_percent }: DetailedDeployment, { stage }: StageProgress): string {
  if (status === 'promoting') return 'Promoted; the rest of the canary lane is being moved';
  if (status === 'rolling_back') return 'Rolled back; the canary lane is being emptied';
  if (status === 'paused') return 'Paused: the share is held, and its time stands still';
  if (stage === undefined) return 'By hand: nobody moves the share but you';
  if (current_percent === 0) return 'The stages begin once the share is above 0 %';
  const next = stage.nextPercentage === 100 ? 'promotion' : shareText(stage.nextPercentage);
  const left =
    stage.leftMs === 0 ? `${next} as soon as all checks pass` : `${span(stage.leftMs)} left, then ${next}`;
  return stage.number === 0
    ? `Before the first stage: ${left}`
    : `Stage ${stage.number} of ${stage.of}: ${left}`;
}

function endedText({ status, canary_version }: DetailedDeployment, { activeMs }: StageProgress): string {
  return status === 'completed'
    ? `Promoted after ${span(activeMs)}: ${canary_version} takes all jobs`
    : `Rolled back after ${span(activeMs)}: ${canary_version} gets no jobs`;
}
