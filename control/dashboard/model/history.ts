import type { DeploymentEvent, HistoryPoint } from '../../../src/client/api-types.ts';

/** The points of the charts: what was read at first, and what came after it. */

/** @returns oldest first, none older than the window; a point that comes again replaces the one before */
export function merged(
  known: readonly HistoryPoint[],
  fresh: readonly HistoryPoint[],
  windowMs: number,
): readonly HistoryPoint[] {
  const points = new Map([...known, ...fresh].map((point) => [Date.parse(point.timestamp), point]));
  const latest = Math.max(...points.keys());
  return [...points]
    .filter(([at]) => at > latest - windowMs)
    .toSorted(([a], [b]) => a - b)
    .map(([, point]) => point);
}

export type Measure = 'error_rate' | 'p95_latency' | 'jobs_per_second';

/** As uPlot takes it: seconds, then the values of stable and of the canary. */
export type ChartData = readonly [readonly number[], readonly (number | null)[], readonly (number | null)[]];

export function chartData(points: readonly HistoryPoint[], measure: Measure): ChartData {
  return [
    points.map(({ timestamp }) => Date.parse(timestamp) / 1000),
    points.map(({ stable }) => stable[measure]),
    points.map(({ canary }) => canary[measure]),
  ];
}

/** The point that a moment falls into, by its number. */
export function latestKnown(values: readonly (number | null)[]): number | null {
  return values.findLast((value) => value !== null) ?? null;
}

/** Where the percentage changed, for a line in the chart. */
export interface Mark {
  /** Seconds. */
  readonly at: number;
  readonly percentage: number;
}

type Told = Pick<DeploymentEvent, 'timestamp' | 'data'>;

export function marksOf(events: readonly Told[]): readonly Mark[] {
  return events
    .flatMap(({ timestamp, data }) => {
      const percentage = data?.['new_percentage'];
      if (typeof percentage !== 'number' || percentage === data?.['old_percentage']) return [];
      return [{ at: Date.parse(timestamp) / 1000, percentage }];
    })
    .toSorted((a, b) => a.at - b.at);
}
