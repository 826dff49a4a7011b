import type { HistoryPoint } from '../../../src/client/api-types.ts';
import { parseDuration } from '../../../src/core/duration.ts';
import { milliseconds, percent, perSecond, span } from '../model/format.ts';
import { useMemo } from 'preact/hooks';
import { chartData, type Mark, type Measure } from '../model/history.ts';
import { Chart } from './chart.tsx';

interface Measured {
  readonly measure: Measure;
  readonly name: string;
  readonly format: (value: number | null) => string;
}

const CHARTS: readonly Measured[] = [
  { measure: 'error_rate', name: 'Error rate', format: percent },
  { measure: 'p95_latency', name: 'p95 latency', format: milliseconds },
  { measure: 'jobs_per_second', name: 'Throughput', format: perSecond },
];

const WINDOWS = ['30m0s', '2h0m0s', '24h0m0s'];

/** Both versions over time, with a line wherever the share was moved. */
export function Charts(props: {
  readonly points: readonly HistoryPoint[];
  readonly marks: readonly Mark[];
  readonly ownWindow: string;
  /** Undefined: its own. */
  readonly window: string | undefined;
  readonly onWindow: (window: string | undefined) => void;
}) {
  const windows = [props.ownWindow, ...WINDOWS.filter((window) => window !== props.ownWindow)];
  const chosen = props.window ?? props.ownWindow;
  return (
    <section class="card" aria-labelledby="charts-title">
      <h2 id="charts-title">
        Over time
        <span class="legend">
          <span class="lane-name lane-stable">stable</span>
          <span class="lane-name lane-canary">canary</span>
        </span>
        <span class="choices" role="group" aria-label="How far back">
          {windows.map((window) => (
            <button
              key={window}
              type="button"
              class="choice"
              aria-pressed={window === chosen}
              onClick={() => props.onWindow(window === props.ownWindow ? undefined : window)}
            >
              {span(parseDuration(window) ?? 0)}
            </button>
          ))}
        </span>
      </h2>
      <div class="charts">
        {CHARTS.map((chart) => (
          <MeasureChart key={chart.measure} {...chart} points={props.points} marks={props.marks} />
        ))}
      </div>
    </section>
  );
}

function MeasureChart(
  props: Measured & {
    readonly points: readonly HistoryPoint[];
    readonly marks: readonly Mark[];
  },
) {
  const { points, measure } = props;
  const data = useMemo(() => chartData(points, measure), [points, measure]);
  return <Chart name={props.name} format={props.format} data={data} marks={props.marks} />;
}
