import type { Rendering } from '../figures-file.ts';
import { markdownTable } from '../markdown-table.ts';
import type { ControlFigures, FleetFigures, Load, Times } from './figures.ts';

/** The figures as tables, with a column for each size. */

const whole = (value: number): string => Math.round(value).toLocaleString('en');
const short = (value: number): string => (value < 10 ? value.toFixed(1) : whole(value));
const both = ({ p50, p99 }: Times): string => `${short(p50)} / ${short(p99)}`;

export function controlTables({ measuredAt, machine, fleets }: ControlFigures): string {
  const proxies = whole(fleets[0]!.proxies);
  const table = (
    title: string,
    rows: readonly (readonly [string, (fleet: FleetFigures) => string])[],
  ): string =>
    markdownTable(
      [title, ...fleets.map(({ deployments }) => whole(deployments))],
      rows.map(([name, cell]) => [name, ...fleets.map(cell)]),
      () => true,
    );
  const loads = (title: string, loadOf: (fleet: FleetFigures) => Load): string =>
    table(title, [
      ['Redis, commands a second', (fleet) => whole(loadOf(fleet).commands)],
      ['Redis, bytes out a second', (fleet) => whole(loadOf(fleet).bytesOut)],
      ['Redis, ms of CPU a second', (fleet) => short(loadOf(fleet).redisCpu)],
      ['control plane, ms of CPU a second', (fleet) => short(loadOf(fleet).controlCpu)],
    ]);
  return [
    `${measuredAt}, ${machine}; ${proxies} proxies.`,
    markdownTable(['aim', 'found', ''], aims(fleets), () => false),
    table('deployments', [
      ['of them active', ({ active }) => whole(active)],
      ['workers', ({ workers }) => whole(workers)],
    ]),
    table('calls of the API, p50 / p99 in ms', [
      [`change of percentage → applied by ${proxies} proxies`, ({ propagation }) => both(propagation)],
      ['answers that could say so', ({ acknowledged: { complete, all } }) => `${complete} of ${all}`],
      ['answers that Redis was away', ({ unavailable }) => whole(unavailable)],
      ...Object.keys(fleets[0]!.calls).map(
        (name) => [name, ({ calls }: FleetFigures) => both(calls[name]!)] as const,
      ),
    ]),
    loads(`at rest, with the telemetry of ${proxies} proxies`, ({ atRest }) => atRest),
    loads('while one change follows the other', ({ underChanges }) => underChanges),
    table('of a change', [
      ['changes a second', ({ underChanges }) => short(underChanges.changes)],
      ['Redis, commands a change', ({ commandsPerChange }) => whole(commandsPerChange)],
      ['  of each proxy', ({ commandsPerChange, proxies: n }) => short(commandsPerChange / n)],
    ]),
    table('a proxy that starts', [
      ['bytes that it reads', ({ start }) => whole(start.bytes)],
      ['ms of its CPU, to read and to compile them', ({ start }) => short(start.cpu)],
    ]),
  ].join('\n\n');
}

/** At the largest size; what costs must not grow with is held against the smallest. */
function aims(fleets: readonly FleetFigures[]): readonly (readonly string[])[] {
  const [least, most] = [fleets[0]!, fleets.at(-1)!];
  const proxies = whole(most.proxies);
  const verdict = (isMet: boolean): string => (isMet ? 'met' : '**missed**');
  const applied = most.propagation.p99;
  const rolledBack = most.calls['roll back']!.p99;
  const growth = most.commandsPerChange / least.commandsPerChange;
  const [first, last] = [least, most].map(({ start, deployments }) => (1000 * start.cpu) / deployments) as [
    number,
    number,
  ];
  return [
    [
      `a change of percentage is applied by ${proxies} proxies within 50 ms, p99`,
      `${short(applied)} ms`,
      verdict(applied <= 50),
    ],
    ['a rollback is answered within a second, p99', `${whole(rolledBack)} ms`, verdict(rolledBack < 1000)],
    [
      `the commands of a change don't grow from ${whole(least.deployments)} to ${whole(most.deployments)} deployments`,
      `${growth.toFixed(2)} ×`,
      verdict(growth <= 1.1),
    ],
    [
      'the start of a proxy grows no more than linearly, in µs of CPU for each deployment with its worker',
      `${whole(first)}, then ${whole(last)}`,
      verdict(last <= first),
    ],
  ];
}

export const renderControl: Rendering<ControlFigures> = {
  page: 'docs/performance-control-plane.md',
  render: controlTables,
};
