import type { Rendering } from './figures-file.ts';
import { OURS, type Axis, type BenchRun, type ProxyRow } from './run.ts';

/** A run as Markdown: printed at its end, and kept in `docs/performance.md`. */

export function runAsMarkdown(run: BenchRun): string {
  return [
    madeOn(run),
    proxies(run.proxies),
    ...run.missing.map((what) => `Not measured: ${what}`),
    ...run.axes.map(axis),
    decisions(run),
    ...(run.profile.length > 0 ? [profile(run)] : []),
  ].join('\n\n');
}

export const renderRun: Rendering<BenchRun> = { page: 'docs/performance.md', render: runAsMarkdown };

function madeOn({ date, version, machine, settings }: BenchRun): string {
  const { cpu, cores, memoryGiB, kernel, node, nginx, haproxy } = machine;
  return (
    `Lanewise ${version}, ${date}, ${cores} cores of ${cpu}, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}, nginx ${nginx}, ` +
    `HAProxy ${haproxy}; ${settings.rounds} rounds of ${settings.seconds} s, ${settings.connections} connections, POSTs of ${settings.bodyBytes} bytes.`
  );
}

function proxies(rows: readonly ProxyRow[]): string {
  const ours = rows.find(({ name }) => name === OURS);
  const head = [
    'proxy',
    'µs CPU / request',
    'of Lanewise',
    'requests / s',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'RSS MiB',
  ];
  return table(
    head,
    rows.map(({ name, cpuPerRequest, requestsPerSecond, atHalf, memoryMiB }) => [
      name,
      cpuPerRequest.toFixed(1),
      ours === undefined ? '' : `${(cpuPerRequest / ours.cpuPerRequest).toFixed(2)} ×`,
      thousands(requestsPerSecond),
      atHalf.p50.toFixed(2),
      atHalf.p99.toFixed(2),
      atHalf.p999.toFixed(2),
      memoryMiB.toFixed(0),
    ]),
  );
}

function axis({ title, unit, rows }: Axis): string {
  const head = [unit, 'proxy', 'µs CPU / request', 'requests / s', 'RSS MiB'];
  const cells = rows.map(({ name, value, cpuPerRequest, requestsPerSecond, memoryMiB }) => [
    thousands(value),
    name,
    cpuPerRequest.toFixed(1),
    thousands(requestsPerSecond),
    memoryMiB.toFixed(0),
  ]);
  return `**${title}**\n\n${table(head, cells)}`;
}

function decisions({ decisions: rows, telemetryNs, proxies: measured }: BenchRun): string {
  const ours = measured.find(({ name }) => name === OURS);
  const share =
    ours === undefined ? '' : `, ${(telemetryNs / 10 / ours.cpuPerRequest).toFixed(1)} % of a dispatch`;
  const cells = rows.map(({ queues, workersPerLane, perSecond }) => [
    thousands(queues),
    thousands(workersPerLane),
    `${(perSecond / 1e6).toFixed(1)} million`,
  ]);
  return (
    `**Route decisions** of one core: queue looked up, lane and worker chosen, load counted\n\n` +
    `${table(['queues', 'workers of a lane', 'decisions / s'], cells)}\n\n` +
    `**Telemetry** of one dispatch, all that is counted for metrics and the judge: ${telemetryNs.toFixed(0)} ns${share}`
  );
}

function profile({ profile: rows }: BenchRun): string {
  const cells = rows.map(({ part, percent }) => [part, `${percent.toFixed(0)} %`]);
  return `**Where the proxy's time goes**, at saturation; the kernel's part falls on who called it\n\n${table(['part', 'share'], cells)}`;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
