import { registerOwnWorker } from '../../proxy/own-worker.ts';
import { startProxy, type Proxy } from '../../proxy/proxy.ts';
import type { Config } from '../../config/load.ts';
import type { Clock } from '../core/clock.ts';
import type { WorkerRequest } from '../core/worker-changes.ts';
import { startFileWatch, type FileWatch } from '../runtime/file-watch.ts';
import type { Logger } from '../runtime/log.ts';
import type { Exporting } from '../runtime/otel/exporting.ts';
import { readExportSettings } from '../runtime/otel/settings.ts';
import type { Store } from '../runtime/store/store.ts';
import type { JobTracer } from '../runtime/tracing.ts';
import { VERSION } from '../runtime/version.ts';
import { openClock } from './clock.ts';
import { startControl, type RunningControl } from './control.ts';
import type { Host } from './host.ts';
import { openSharedStore, openStore } from './open-store.ts';
import type { Settings } from './settings.ts';
import { refuseOwnWorker } from './sidecar.ts';

/** How often a sidecar looks after its worker's registration within the worker time-out. */
const RENEWALS_PER_TIMEOUT = 4;

/** The commands that serve: each builds what it runs, says where it listens, waits for a signal, drains. */

export async function runStandalone(host: Host, { config, log }: Settings): Promise<void> {
  const stopRequested = host.stopRequested();
  await using opened = new AsyncDisposableStack();
  const { store, control, proxy } = await startPlanes(opened, config, log, host);
  host.print(standaloneBanner(control, proxy, await describeStore(store, config)));
  await untilStopped(stopRequested, log);
}

/**
 * Both planes over one store, in this process.
 * @param host whose environment says what is exported, and whose files are read again when they change; without, neither is done
 */
export async function startPlanes(
  opened: AsyncDisposableStack,
  config: Config,
  log: Logger,
  host?: Host,
): Promise<{ store: Store; control: RunningControl; proxy: Proxy }> {
  const files = host && openFiles(opened, host, log);
  const store = await open(opened, await openStore(config, log, files));
  const exporting = host && (await openExport(opened, host, log, 'lanewise'));
  const clock = await openClock(opened, store, log);
  const control = await openControl(opened, config, store, clock, log, files);
  const proxy = await openProxy(opened, config, store, clock, log, { tracer: exporting?.tracer, files });
  // One of the two is enough: it is the same machine.
  clock.addMetric(control.metrics);
  await exporting?.exportMetrics({ control: control.metrics, proxy: proxy.metrics });
  return { store, control, proxy };
}

export async function runControl(host: Host, { config, log }: Settings): Promise<void> {
  const stopRequested = host.stopRequested();
  await using opened = new AsyncDisposableStack();
  const files = openFiles(opened, host, log);
  const store = await open(opened, await openSharedStore(config, log, 'lanewise control', files));
  // A wrong password or address is better said now than in the answer to the first request.
  await store.ping();
  const exporting = await openExport(opened, host, log, 'lanewise-control');
  const clock = await openClock(opened, store, log);
  const control = await openControl(opened, config, store, clock, log, files);
  clock.addMetric(control.metrics);
  await exporting?.exportMetrics({ control: control.metrics });
  host.print(
    `Lanewise ${VERSION} control plane on ${control.url}\n  Dashboard  ${dashboardUrl(control)}\n${tokenLine(control)}`,
  );
  await untilStopped(stopRequested, log);
}

/** @param worker the one beside it, if it is to register one */
export async function runProxy(host: Host, { config, log }: Settings, worker?: WorkerRequest): Promise<void> {
  const stopRequested = host.stopRequested();
  await using opened = new AsyncDisposableStack();
  if (worker !== undefined) refuseOwnWorker(worker, config.worker_url_allow);
  const files = openFiles(opened, host, log);
  const store = await open(opened, await openSharedStore(config, log, 'lanewise proxy', files));
  const exporting = await openExport(opened, host, log, 'lanewise-proxy');
  const tracer = exporting?.tracer;
  const consumeFor = worker?.id;
  const clock = await openClock(opened, store, log);
  const proxy = await openProxy(opened, config, store, clock, log, { consumeFor, tracer, files });
  clock.addMetric(proxy.metrics);
  await exporting?.exportMetrics({ proxy: proxy.metrics });
  if (worker !== undefined) {
    const registration = registerOwnWorker({
      worker,
      store,
      clock,
      log,
      everyMs: config.worker_timeout / RENEWALS_PER_TIMEOUT,
    });
    // Before the proxy: nobody should send jobs to a worker whose sidecar is about to end.
    opened.defer(() => registration.stop());
  }
  host.print(
    `Lanewise ${VERSION} proxy on ${proxy.dispatchUrl}/dispatch/{queue}, admin on ${proxy.adminUrl}`,
  );
  await untilStopped(stopRequested, log);
}

/**
 * OpenTelemetry, if its variables ask for it; nothing of it is loaded otherwise. Opened before the planes and after the
 * store, since the last export comes when the planes have ended, and reads the store.
 */
async function openExport(
  opened: AsyncDisposableStack,
  host: Host,
  log: Logger,
  serviceName: string,
): Promise<Exporting | undefined> {
  const { settings, warnings } = readExportSettings(host.environment);
  for (const warning of warnings) log.warn(warning);
  if (settings === undefined) return undefined;
  const { openExporting } = await import('../runtime/otel/exporting.ts');
  const exporting = await openExporting({ settings, serviceName, version: VERSION, log });
  opened.defer(async () => {
    if (!(await exporting.close())) host.abandonRest();
  });
  return exporting;
}

/** Certificates and tokens are read again when their files change, and at SIGHUP. */
function openFiles(opened: AsyncDisposableStack, host: Host, log: Logger): FileWatch {
  const files = startFileWatch(log);
  opened.defer(() => files.close());
  host.onHangup(() => files.reloadAll());
  return files;
}

async function open(opened: AsyncDisposableStack, store: Store): Promise<Store> {
  opened.defer(() => store.close());
  return store;
}

async function openControl(
  opened: AsyncDisposableStack,
  config: Config,
  store: Store,
  clock: Clock,
  log: Logger,
  files: FileWatch | undefined,
): Promise<RunningControl> {
  const control = await startControl(config, store, clock, log, files);
  opened.defer(() => control.close());
  return control;
}

async function openProxy(
  opened: AsyncDisposableStack,
  config: Config,
  store: Store,
  clock: Clock,
  log: Logger,
  {
    consumeFor,
    tracer,
    files,
  }: {
    readonly consumeFor?: string | undefined;
    readonly tracer: JobTracer | undefined;
    readonly files: FileWatch | undefined;
  },
): Promise<Proxy> {
  const proxy = await startProxy({
    config,
    store,
    clock,
    log,
    random: Math.random,
    version: VERSION,
    tracer,
    files,
    ...(consumeFor !== undefined && { consumeFor }),
  });
  opened.defer(() => proxy.close(config.shutdown_timeout));
  log.info({ proxy: proxy.id, revision: proxy.table.revision }, 'proxy started');
  return proxy;
}

/** A signal that comes while the process starts counts as well: it is asked for before anything is opened. */
async function untilStopped(stopRequested: Promise<string>, log: Logger): Promise<void> {
  const signal = await stopRequested;
  log.info({ signal }, 'stopping: finishing what runs; a second signal ends it at once');
}

/** Behind the `#` the token stays in the browser, which takes it out of the address at once. */
export function dashboardUrl({ url, generatedToken }: RunningControl): string {
  const place = generatedToken === undefined ? '' : `#token=${generatedToken.token}`;
  return `${url}/${place}`;
}

function tokenLine({ generatedToken }: RunningControl): string {
  return generatedToken === undefined
    ? '  Token      one of those in LANEWISE_TOKENS'
    : `  Token      ${generatedToken.token}  (kept in ${generatedToken.path})`;
}

/** A Redis that is away keeps nobody from starting: the proxy has its last good routes. But it is said. */
async function describeStore(store: Store, config: Config): Promise<string> {
  if (store.kind === 'embedded') return `embedded store in ${config.data_dir}`;
  try {
    await store.ping();
    return 'state in Redis';
  } catch (error) {
    return `waiting for Redis: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function standaloneBanner(control: RunningControl, proxy: Proxy, storeLine: string): string {
  const api = `${control.url}/api/v1/canary`;
  const token = control.generatedToken === undefined ? '<token>' : `$(cat ${control.generatedToken.path})`;
  return `Lanewise ${VERSION} is running (${storeLine})

  Dashboard  ${dashboardUrl(control)}
  API        ${api}
  API docs   ${control.url}/docs
  Dispatch   ${proxy.dispatchUrl}/dispatch/{queue}
  Admin      ${proxy.adminUrl}  (/metrics /healthz /readyz /routes)
${tokenLine(control)}

Try it:
  curl -H "Authorization: Bearer ${token}" ${api}/deployments

The README's tour goes on from here. Ctrl-C stops.`;
}
