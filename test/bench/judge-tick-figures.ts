import type { Rendering } from './figures-file.ts';
import { markdownTable } from './markdown-table.ts';

/** What a run of `npm run bench:judge-tick` found, as it is kept in `docs/figures/judge-tick.json`, and as tables. */

export interface Spread {
  readonly median: number;
  readonly p95: number;
  readonly max: number;
}

export interface JudgeTickFigures {
  readonly measuredAt: string;
  readonly machine: string;
  readonly active: number;
  readonly ended: number;
  readonly ticks: number;
  /** Of the judge's process, in a tick. */
  readonly cpuMs: Spread;
  readonly durationMs: Spread;
  /** Of the store, in a tick, by name. */
  readonly calls: Readonly<Record<string, number>>;
  /** How busy Redis was, in cores: with the telemetry alone, and with the judge as well. */
  readonly redisCores: { readonly without: number; readonly with: number };
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');

export function judgeTickTables(figures: JudgeTickFigures): string {
  const { measuredAt, machine, active, ended, ticks, cpuMs, durationMs, calls, redisCores } = figures;
  const spread = (name: string, { median, p95, max }: Spread): readonly string[] => [
    name,
    ...[median, p95, max].map(whole),
  ];
  return [
    `${measuredAt}, ${machine}; ${whole(active)} active deployments among ${whole(active + ended)}, ${ticks} ticks.`,
    markdownTable(
      ['a tick of the judge', 'median', 'p95', 'max'],
      [spread('ms of its CPU', cpuMs), spread('ms from its beginning to its end', durationMs)],
      () => true,
    ),
    `The aim is less than a second of CPU: ${cpuMs.max < 1000 ? 'met' : '**missed**'}.`,
    markdownTable(
      ['calls of the store in a tick', ''],
      Object.entries(calls).map(([name, count]) => [`\`${name}\``, whole(count)]),
      () => true,
    ),
    `Redis was busy for ${redisCores.without.toFixed(2)} of a core with the telemetry alone, for ${redisCores.with.toFixed(2)} with the judge.`,
  ].join('\n\n');
}

export const renderJudgeTick: Rendering<JudgeTickFigures> = {
  page: 'docs/performance-control-plane.md',
  render: judgeTickTables,
};
