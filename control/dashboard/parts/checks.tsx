import type { DeploymentHealth } from '../../../src/client/api-types.ts';
import { checkViews, type CheckView, type Meter } from '../model/checks.ts';
import { HealthBadge } from './badge.tsx';
import { Icon, type IconName } from './icon.tsx';

/** The five checks, and how much is known against what would have to be. */
export function Checks({ health }: { readonly health: DeploymentHealth | undefined }) {
  return (
    <section class="card" aria-labelledby="checks-title">
      <h2 id="checks-title">
        Checks {health !== undefined && <HealthBadge health={health.overall_status} />}
      </h2>
      <ul class="checks">
        {health !== undefined && checkViews(health).map((check) => <Check key={check.name} check={check} />)}
      </ul>
      {health?.notes?.map((note) => (
        <p key={note} class="note note-warn">
          {note}
        </p>
      ))}
    </section>
  );
}

const SIGNS: Readonly<Record<CheckView['state'], readonly [IconName, string]>> = {
  passing: ['healthy', 'passing'],
  waiting: ['unknown', 'not enough yet'],
  breached: ['warning', 'breached, which may be chance'],
  proven: ['failing', 'breached, and proven'],
};

function Check({ check }: { readonly check: CheckView }) {
  const [icon, meaning] = SIGNS[check.state];
  return (
    <li class={`check check-${check.state}`}>
      <span class="check-sign" title={meaning}>
        <Icon name={icon} />
        <span class="unseen">{meaning}</span>
      </span>
      <span class="check-name">{check.name}</span>
      <span class="check-found">{check.found}</span>
      {check.meter !== undefined && <MeterLine meter={check.meter} />}
    </li>
  );
}

function MeterLine({ meter }: { readonly meter: Meter }) {
  const tone = meter.isAgainst
    ? meter.fraction >= 1
      ? 'bad'
      : 'against'
    : meter.fraction >= 1
      ? 'good'
      : 'going';
  return (
    <span class="check-meter">
      <svg viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
        <rect class="meter-all" width="100" height="2" />
        <rect class={`meter-${tone}`} width={meter.fraction * 100} height="2" />
      </svg>
      <span class="quiet">{meter.text}</span>
    </span>
  );
}
