import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { latestKnown, type ChartData, type Mark } from '../model/history.ts';
import { share as shareText } from '../model/format.ts';

/** One measure of both lanes over time. */
interface ChartProps {
  readonly name: string;
  readonly format: (value: number | null) => string;
  readonly data: ChartData;
  readonly marks: readonly Mark[];
}

const HEIGHT = 150;
const SECONDS_MIN = 60;

export function Chart({ name, format, data, marks }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  /** What the plot asks for whenever it draws. */
  const shown = useRef(marks);
  shown.current = marks;
  /** Where the pointer is; null: nowhere, and the latest is told. */
  const [at, setAt] = useState<number | null>(null);
  const theme = useColourScheme();

  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(optionsOf(element, format, shown, setAt), toPlot(data), element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [theme]);
  useEffect(() => plot.current?.setData(toPlot(data)), [data, marks]);

  const value = (lane: 1 | 2): string =>
    format(at === null ? latestKnown(data[lane]) : (data[lane][at] ?? null));
  return (
    <figure class="chart">
      <figcaption>
        {name}
        <span class="chart-values">
          <span class="of-stable">{value(1)}</span>
          <span class="of-canary">{value(2)}</span>
        </span>
      </figcaption>
      <div
        ref={place}
        role="img"
        aria-label={`${name} over time. At last: stable ${format(latestKnown(data[1]))}, canary ${format(latestKnown(data[2]))}`}
      />
    </figure>
  );
}

function toPlot([at, stable, canary]: ChartData): uPlot.AlignedData {
  return [[...at], [...stable], [...canary]];
}

function optionsOf(
  element: HTMLElement,
  format: ChartProps['format'],
  marks: { readonly current: readonly Mark[] },
  onCursor: (at: number | null) => void,
): uPlot.Options {
  const colour = (name: string): string => getComputedStyle(element).getPropertyValue(name).trim();
  const line = { spanGaps: false, points: { show: false } };
  const font = `11px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: colour('--quiet'), font, ticks: { show: false } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [14, 28, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'lanewise' }, points: { size: 6 }, drag: { x: false, y: false }, y: false },
    scales: {
      // What has just begun is not drawn larger than life.
      x: { range: (_plot, least, most) => [Math.min(least, most - SECONDS_MIN), most] },
      y: { range: (_plot, _least, most) => [0, most === null || most <= 0 ? 1 : most * 1.15] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 52, size: 26, values: timeLabels },
      {
        ...axis,
        grid: { stroke: colour('--line'), width: 1 },
        size: 58,
        space: 34,
        values: (_plot, values) => values.map((value) => format(value)),
      },
    ],
    series: [
      {},
      { ...line, stroke: colour('--stable'), width: 1.75 },
      { ...line, stroke: colour('--canary'), width: 2, fill: colour('--canary-wash') },
    ],
    hooks: {
      setCursor: [({ cursor }) => onCursor(cursor.idx ?? null)],
      draw: [(plot) => drawMarks(plot, marks.current, colour('--mark'), font)],
    },
  };
}

function timeLabels(_plot: uPlot, times: number[], _axis: number, _space: number, step: number): string[] {
  return times.map((time) => {
    const parts = new Date(time * 1000);
    const of = (part: number): string => String(part).padStart(2, '0');
    const label = `${of(parts.getHours())}:${of(parts.getMinutes())}`;
    return step < 60 ? `${label}:${of(parts.getSeconds())}` : label;
  });
}

/** Lines where the share was moved, each with the share that it was moved to. */
function drawMarks(plot: uPlot, marks: readonly Mark[], colour: string, font: string): void {
  const { ctx, bbox } = plot;
  const pixels = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = pixels;
  ctx.font = font.replace('11px', `${10 * pixels}px`);
  ctx.textBaseline = 'bottom';
  let free = -Infinity;
  for (const { at, percentage } of marks) {
    const x = Math.round(plot.valToPos(at, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.setLineDash([3 * pixels, 3 * pixels]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const text = shareText(percentage);
    const width = ctx.measureText(text).width;
    const left = Math.min(x - width / 2, bbox.left + bbox.width - width);
    if (left < free) continue;
    ctx.fillText(text, left, bbox.top - 2 * pixels);
    free = left + width + 6 * pixels;
  }
  ctx.restore();
}

function useColourScheme(): boolean {
  const [isDark, setDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches);
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)');
    const onChange = (): void => setDark(query.matches);
    query.addEventListener('change', onChange);
    return () => query.removeEventListener('change', onChange);
  }, []);
  return isDark;
}
