import type { Rendering } from '../figures-file.ts';
import { markdownTable } from '../markdown-table.ts';
import type { LaneFigures, Rate } from './figures.ts';

/** The figures as tables. */

const whole = (value: number): string => Math.round(value).toLocaleString('en');
const short = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));

export function laneTables({ measuredAt, machine, rounds, jobs, systems, drained }: LaneFigures): string {
  const rates = (title: string, rateOf: (system: LaneFigures['systems'][number]) => Rate): string =>
    rateTable(
      title,
      systems.map((system) => [system.system, rateOf(system)]),
    );
  return [
    `${measuredAt}, ${machine}. Medians of ${rounds} rounds.`,
    rates(`${whole(jobs.accepted)} jobs taken in one by one`, ({ accepted }) => accepted),
    rates(
      `${whole(jobs.acceptedInBatches)} jobs taken in by batches`,
      ({ acceptedInBatches }) => acceptedInBatches,
    ),
    rates(`${whole(jobs.processed)} jobs processed`, ({ processed }) => processed),
    table(
      ['from producer to worker, little load', 'median, ms', 'p99, ms'],
      systems.map(({ system, latency: { p50, p99 } }) => [system, p50.toFixed(1), p99.toFixed(1)]),
    ),
    rateTable(
      `${whole(jobs.drained)} jobs of a canary's lane drained`,
      drained.map(({ system, drained: rate }) => [system, rate]),
    ),
  ].join('\n\n');
}

export const renderLanes: Rendering<LaneFigures> = {
  page: 'docs/queues-performance.md',
  render: laneTables,
};

function rateTable(title: string, rates: readonly (readonly [system: string, rate: Rate])[]): string {
  return table(
    [title, 'jobs a second', 'µs of CPU a job'],
    rates.map(([system, rate]) => [system, whole(rate.jobsPerSecond), costsOf(rate)]),
  );
}

function costsOf({ cpuPerJob }: Rate): string {
  return Object.entries(cpuPerJob)
    .map(([part, cost]) => `${part} ${short(cost)}`)
    .join(', ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return markdownTable(head, rows, (column) => !column.includes('CPU'));
}
