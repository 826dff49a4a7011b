import { registerOwnWorker } from '../../proxy/own-worker.ts';
import { startProxy, type Proxy } from '../../proxy/proxy.ts';
import type { Config } from '../../config/load.ts';
import type { Clock } from '../core/clock.ts';
import type { WorkerRequest } from '../core/worker-changes.ts';
import type { Logger } from '../runtime/log.ts';
import type { Store } from '../runtime/store/store.ts';
import type { FileKeeping } from '../runtime/tls/file-keeping.ts';
import type { JobTracer } from '../runtime/tracing.ts';
import { VERSION } from '../runtime/version.ts';
import { openClock } from './clock.ts';
import type { Host } from './host.ts';
import { openSharedStore } from './open-store.ts';
import { keepStore, openExport, openFiles, untilStopped } from './serving.ts';
import type { Settings } from './settings.ts';
import { refuseOwnWorker } from './sidecar.ts';

/** `lanewise proxy`. Nothing of the control plane is loaded: a sidecar's memory counts as often as there are workers. */

/** How often a sidecar looks after its worker's registration within the worker time-out. */
const RENEWALS_PER_TIMEOUT = 4;

/** @param worker the one beside it, if it is to register one */
export async function runProxy(host: Host, { config, log }: Settings, worker?: WorkerRequest): Promise<void> {
  const stopRequested = host.stopRequested();
  await using opened = new AsyncDisposableStack();
  if (worker !== undefined) refuseOwnWorker(worker, config.worker_url_allow);
  const files = openFiles(opened, host, log);
  const store = await keepStore(opened, await openSharedStore(config, log, 'lanewise proxy', files));
  const exporting = await openExport(opened, host, log, 'lanewise-proxy');
  const tracer = exporting?.tracer;
  const consumeFor = worker?.id;
  const clock = await openClock(opened, store, log);
  const proxy = await openProxy(opened, config, store, clock, log, { consumeFor, tracer, files });
  clock.addMetric(proxy.metrics);
  files.certificates.addMetric(proxy.metrics);
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

export async function openProxy(
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
    readonly files: FileKeeping | undefined;
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
