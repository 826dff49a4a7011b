import type { Config } from '../../config/load.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Store } from '../runtime/store/store.ts';
import type { FileKeeping } from '../runtime/tls/file-keeping.ts';
import { VERSION } from '../runtime/version.ts';
import { openClock } from './clock.ts';
import { startControl, type RunningControl } from './control.ts';
import type { Host } from './host.ts';
import { openSharedStore } from './open-store.ts';
import { keepStore, openExport, openFiles, untilStopped } from './serving.ts';
import type { Settings } from './settings.ts';

/** `lanewise control`. */

export async function runControl(host: Host, { config, log }: Settings): Promise<void> {
  const stopRequested = host.stopRequested();
  await using opened = new AsyncDisposableStack();
  const files = openFiles(opened, host, log);
  const store = await keepStore(opened, await openSharedStore(config, log, 'lanewise control', files));
  // A wrong password or address is better said now than in the answer to the first request.
  await store.ping();
  const exporting = await openExport(opened, host, log, 'lanewise-control');
  const clock = await openClock(opened, store, log);
  const control = await openControl(opened, config, store, clock, log, files);
  clock.addMetric(control.metrics);
  files.certificates.addMetric(control.metrics);
  await exporting?.exportMetrics({ control: control.metrics });
  host.print(
    `Lanewise ${VERSION} control plane on ${control.url}\n  Dashboard  ${dashboardUrl(control)}\n${tokenLine(control)}`,
  );
  await untilStopped(stopRequested, log);
}

export async function openControl(
  opened: AsyncDisposableStack,
  config: Config,
  store: Store,
  clock: Clock,
  log: Logger,
  files: FileKeeping | undefined,
): Promise<RunningControl> {
  const control = await startControl(config, store, clock, log, files);
  opened.defer(() => control.close());
  return control;
}

/** Behind the `#` the token stays in the browser, which takes it out of the address at once. */
export function dashboardUrl({ url, generatedToken }: RunningControl): string {
  const place = generatedToken === undefined ? '' : `#token=${generatedToken.token}`;
  return `${url}/${place}`;
}

export function tokenLine({ generatedToken }: RunningControl): string {
  return generatedToken === undefined
    ? '  Token      one of those in LANEWISE_TOKENS'
    : `  Token      ${generatedToken.token}  (kept in ${generatedToken.path})`;
}
