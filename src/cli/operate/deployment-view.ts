import type {
  DeploymentEvent,
  DeploymentHealth,
  DetailedDeployment,
  MetricsSnapshot,
} from '../../client/api-types.ts';
import { tableLines, type Cell } from '../table.ts';
import { paintOf, type Colours } from './colours.ts';
import { age, figure, inSync, milliseconds, percent } from './figures.ts';

/** One deployment on one screen, for `get` and `get --watch`. */

export interface DeploymentFacts {
  readonly deployment: DetailedDeployment;
  readonly health: DeploymentHealth;
  /** Newest first. */
  readonly events: readonly DeploymentEvent[];
}

const BAR_CELLS = 30;
const EVENTS_SHOWN = 5;

export function deploymentLines(
  { deployment: d, health, events }: DeploymentFacts,
  colours: Colours,
  now: Date,
): readonly string[] {
  const state = paintOf(d.status, colours)(d.status);
  const overall = paintOf(health.overall_status, colours)(health.overall_status);
  return [
    `${colours.strong(plain(d.queue_name))}${d.tenant_id === undefined ? '' : ` (tenant ${plain(d.tenant_id)})`}  ${d.id}`,
    `${plain(d.stable_version)} → ${plain(d.canary_version)}  ${state}  ${overall}  ${age(d.start_time, now)} old  ${inSync(d.routing)}`,
    `${bar(d.current_percent)} ${percent(d.current_percent)} canary${d.target_percent === d.current_percent ? '' : `, heading for ${percent(d.target_percent)}`}`,
    '',
    ...laneLines(d, colours),
    '',
    ...checkLines(health, colours),
    '',
    ...events
      .slice(0, EVENTS_SHOWN)
      .map((e) => `${colours.faint(age(e.timestamp, now).padStart(4))}  ${plain(e.message)}`),
  ];
}

function bar(share: number): string {
  const full = Math.round((share / 100) * BAR_CELLS);
  return '█'.repeat(full) + '░'.repeat(BAR_CELLS - full);
}

const FIGURES: readonly (readonly [string, (lane: MetricsSnapshot) => string])[] = [
  ['JOBS', (m) => figure(m.job_count)],
  ['JOBS/S', (m) => figure(m.jobs_per_second)],
  ['ERRORS', (m) => percent(m.error_rate)],
  ['P50', (m) => milliseconds(m.p50_latency)],
  ['P95', (m) => milliseconds(m.p95_latency)],
  ['P99', (m) => milliseconds(m.p99_latency)],
  ['WAITING', (m) => figure(m.queue_depth)],
  ['DEAD', (m) => figure(m.dead_letters)],
  ['WORKERS', (m) => figure(m.worker_count)],
];

function laneLines({ metrics }: DetailedDeployment, colours: Colours): readonly string[] {
  const columns = [
    { title: 'LANE' },
    { title: 'VERSION' },
    ...FIGURES.map(([title]) => ({ title, align: 'right' as const })),
  ];
  const row = (lane: string, m: MetricsSnapshot): string[] => [
    lane,
    m.version,
    ...FIGURES.map(([, of]) => of(m)),
  ];
  return tableLines(columns, [row('stable', metrics.stable), row('canary', metrics.canary)], colours.faint);
}

function checkLines(health: DeploymentHealth, colours: Colours): readonly string[] {
  const checks = [
    health.error_rate_check,
    health.latency_check,
    health.throughput_check,
    health.sample_size_check,
    health.duration_check,
  ];
  const rows = checks.map(({ name, passing, message }): (Cell | string)[] => [
    name,
    passing ? { text: 'passing', paint: colours.good } : { text: 'not passing', paint: colours.warning },
    message,
  ]);
  return tableLines([{ title: 'CHECK' }, { title: 'STATE' }, { title: 'WHY' }], rows, colours.faint);
}

/** What others named must not speak to the terminal. */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '·');
}
