import type { Deployment, HealthStatus, Worker } from '../../../src/client/api-types.ts';
import { words } from '../model/format.ts';
import { Icon, type IconName } from './icon.tsx';

/** A state in a word, a sign and a colour. */
type Tone = 'good' | 'warn' | 'bad' | 'quiet' | 'ink';

function Badge(props: { readonly tone: Tone; readonly icon: IconName; readonly text: string }) {
  return (
    <span class={`badge badge-${props.tone}`}>
      <Icon name={props.icon} />
      {props.text}
    </span>
  );
}

const STATUSES: Readonly<Record<Deployment['status'], readonly [Tone, IconName]>> = {
  active: ['ink', 'active'],
  paused: ['quiet', 'paused'],
  promoting: ['ink', 'moving'],
  rolling_back: ['warn', 'back'],
  completed: ['good', 'healthy'],
  failed: ['bad', 'failing'],
};

export function StatusBadge({ status }: { readonly status: Deployment['status'] }) {
  const [tone, icon] = STATUSES[status];
  return <Badge tone={tone} icon={icon} text={words(status)} />;
}

const HEALTHS: Readonly<Record<HealthStatus, readonly [Tone, IconName]>> = {
  healthy: ['good', 'healthy'],
  warning: ['warn', 'warning'],
  failing: ['bad', 'failing'],
  unknown: ['quiet', 'unknown'],
};

export function HealthBadge({ health }: { readonly health: HealthStatus }) {
  const [tone, icon] = HEALTHS[health];
  return <Badge tone={tone} icon={icon} text={health} />;
}

const WORKERS: Readonly<Record<Worker['status'], readonly [Tone, IconName]>> = {
  healthy: ['good', 'healthy'],
  degraded: ['warn', 'warning'],
  unhealthy: ['bad', 'failing'],
  unreachable: ['bad', 'failing'],
};

export function WorkerBadge({ status }: { readonly status: Worker['status'] }) {
  const [tone, icon] = WORKERS[status];
  return <Badge tone={tone} icon={icon} text={status} />;
}
