import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../../config/load.ts';
import type { Host } from '../host.ts';
import { startPlanes } from '../planes.ts';
import { dashboardUrl } from '../run-control.ts';
import { createOperator, type Operator } from './operator.ts';
import { DemoLoad, type Interval, type VersionCounts } from './load.ts';
import { DemoWorkers } from './workers.ts';

/**
 * A rollout to look at: a good version goes 0 → 10 → 50 → 100 %, a bad one is rolled back by the judge. Everything is
 * real: both planes, the workers (in processes of their own), the load, and the REST calls that an operator would make.
 */

const QUEUE = 'payment-processing';
const STABLE = 'v1.2.0';
const GOOD = 'v1.3.0';
const BAD = 'v1.4.0';
const BAD_FAILING = 0.4;

const JOBS_PER_SECOND = 500;
const LOOK_EVERY_MS = 500;
const LOOKS_PER_STEP = 6;
/** Ten times what the judge needs. */
const LOOKS_UNTIL_ROLLBACK_MAX = 120;
const BAR_CELLS = 24;

export async function runDemo(host: Host, options: { readonly keep: boolean }): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const stopped = new AbortController();
  void host.stopRequested().then(() => stopped.abort());
  const dataDir = await mkdtemp(join(tmpdir(), 'lanewise-demo-'));
  opened.defer(() => rm(dataDir, { recursive: true, force: true }));
  const { config } = loadConfig({
    environment: {
      ...listenersOf(host.environment),
      LANEWISE_DATA_DIR: dataDir,
      // The load begins before the first deployment names a strategy.
      LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring',
    },
    readFile: (path) => host.readFile(path),
  });
  const { control, proxy } = await startPlanes(opened, config, host.createLog('warn'));
  const dispatchUrl = proxy.dispatchUrl;
  const workers = opened.use(new DemoWorkers(host));
  const operator = createOperator(control.url, control.generatedToken!.token);

  host.print(`Lanewise demo: jobs of ${QUEUE} go to ${dispatchUrl}/dispatch/${QUEUE}`);
  host.print(`Watch it in the dashboard: ${dashboardUrl(control)}\n`);
  host.print(`Starting three workers of ${STABLE} and one of ${GOOD}, each in a process of its own…`);
  for (const id of ['stable-1', 'stable-2', 'stable-3']) {
    await operator.register(QUEUE, await workers.start(id, STABLE));
  }
  await operator.register(QUEUE, await workers.start('canary-1', GOOD), 'canary');

  const screen = new Screen(host);
  const load = opened.use(new DemoLoad(dispatchUrl, QUEUE, JOBS_PER_SECOND, Math.random));
  const look = async (percentage: number): Promise<void> => {
    load.takeInterval();
    await sleep(LOOK_EVERY_MS, undefined, { signal: stopped.signal }).catch(() => {});
    screen.show(percentage, load.takeInterval());
  };
  const watch: Watch = async (percentage, isOver) => {
    const looksMax = isOver === undefined ? LOOKS_PER_STEP : LOOKS_UNTIL_ROLLBACK_MAX;
    for (let looks = 0; looks < looksMax && !stopped.signal.aborted; looks++) {
      await look(percentage);
      if ((await isOver?.()) === true) return;
    }
  };

  try {
    await rollOut(host, operator, watch);
    if (!stopped.signal.aborted) await rollBack(host, operator, workers, watch);
  } finally {
    if (!options.keep) await load.stop();
  }
  summarize(host, load.totals);
  if (options.keep && !stopped.signal.aborted) {
    host.print(
      `\nStill running (--keep): API ${control.url}/api/v1/canary, token ${control.generatedToken!.token}`,
    );
    host.print('Ctrl-C stops it.');
    await host.stopRequested();
  }
}

/** The listeners are the operator's to choose; the rest (store, tokens, queues) is the demo's own, whatever is set. */
function listenersOf(environment: Host['environment']): Host['environment'] {
  const isListener = /^LANEWISE_(CONTROL|PROXY|ADMIN)_(HOST|PORT)$/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => isListener.test(name)));
}

/** Looks for a while, or until it is over. */
type Watch = (percentage: number, isOver?: () => Promise<boolean>) => Promise<void>;

async function rollOut(host: Host, operator: Operator, watch: Watch): Promise<void> {
  host.print(`\n1. ${GOOD} is good. Roll it out: 0 → 10 → 50 → 100 %`);
  const deployment = await operator.create(QUEUE, STABLE, GOOD);
  await watch(0);
  for (const percentage of [10, 50]) {
    const { routing, tookMs } = await operator.setPercentage(deployment, percentage);
    host.print(`   ${percentage} % set: ${applied(routing)} in ${tookMs.toFixed(0)} ms`);
    await watch(percentage);
  }
  const { routing, tookMs } = await operator.promote(deployment);
  host.print(
    `   promoted: ${applied(routing)} in ${tookMs.toFixed(0)} ms; ${GOOD} is the stable version now`,
  );
  await watch(100);
}

async function rollBack(host: Host, operator: Operator, workers: DemoWorkers, watch: Watch): Promise<void> {
  host.print(`\n2. ${BAD} fails ${BAD_FAILING * 100} % of its jobs. Give it 10 %, and leave it to the judge`);
  await operator.register(QUEUE, await workers.start('canary-2', BAD, BAD_FAILING), 'canary');
  const deployment = await operator.create(QUEUE, GOOD, BAD);
  await operator.setPercentage(deployment, 10);
  const start = performance.now();
  await watch(10, async () => !(await operator.look(deployment)).isOpen);
  const { isOpen, lastEvent } = await operator.look(deployment);
  if (isOpen) return;
  host.print(`   after ${((performance.now() - start) / 1000).toFixed(1)} s the judge: ${lastEvent}`);
  await watch(0);
}

function applied({ applied: done, proxies }: { readonly applied: number; readonly proxies: number }): string {
  return `${done} of ${proxies} ${proxies === 1 ? 'proxy routes' : 'proxies route'} by it`;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`;
}

/** One line a look: the share set, and the share seen of each version. */
class Screen {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  show(percentage: number, interval: Interval): void {
    const jobs = [...interval.values()].reduce((sum, counts) => sum + counts.jobs, 0);
    const versions = [...interval.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const shares = versions.map(([version, counts]) => {
      const cells = jobs === 0 ? 0 : Math.round((BAR_CELLS * counts.jobs) / jobs);
      const failed = counts.failures > 0 ? `, ${percent(counts.failures, counts.jobs)} failed` : '';
      return `${version} ${'█'.repeat(cells)} ${percent(counts.jobs, jobs)}${failed}`;
    });
    this.#host.print(`   ${String(percentage).padStart(3)} %  ${shares.join('  ')}`);
  }
}

function summarize(host: Host, totals: ReadonlyMap<string, VersionCounts>): void {
  host.print('\nIn all:');
  for (const [version, { jobs, failures }] of [...totals].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    host.print(
      `   ${version.padEnd(10)} ${String(jobs).padStart(6)} jobs, ${failures} failed (${percent(failures, jobs)})`,
    );
  }
}
