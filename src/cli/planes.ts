import type { Proxy } from '../../proxy/proxy.ts';
import type { Config } from '../../config/load.ts';
import type { Logger } from '../runtime/log.ts';
import type { Store } from '../runtime/store/store.ts';
import { VERSION } from '../runtime/version.ts';
import { openClock } from './clock.ts';
import type { RunningControl } from './control.ts';
import type { Host } from './host.ts';
import { openStore } from './open-store.ts';
import { dashboardUrl, openControl, tokenLine } from './run-control.ts';
import { openProxy } from './run-proxy.ts';
import { keepStore, openExport, openFiles, untilStopped } from './serving.ts';
import type { Settings } from './settings.ts';

/** `lanewise standalone`: both planes in one process. */

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
  const store = await keepStore(opened, await openStore(config, log, files));
  const exporting = host && (await openExport(opened, host, log, 'lanewise'));
  const clock = await openClock(opened, store, log);
  const control = await openControl(opened, config, store, clock, log, files);
  const proxy = await openProxy(opened, config, store, clock, log, { tracer: exporting?.tracer, files });
  // One of the two is enough: it is the same machine, and the same process.
  clock.addMetric(control.metrics);
  files?.certificates.addMetric(control.metrics);
  await exporting?.exportMetrics({ control: control.metrics, proxy: proxy.metrics });
  return { store, control, proxy };
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
