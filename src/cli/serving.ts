import { systemClock } from '../runtime/clock.ts';
import { startFileWatch } from '../runtime/file-watch.ts';
import type { Logger } from '../runtime/log.ts';
import type { Exporting } from '../runtime/otel/exporting.ts';
import { readExportSettings } from '../runtime/otel/settings.ts';
import { startPeriodic } from '../runtime/periodic.ts';
import type { Store } from '../runtime/store/store.ts';
import { CertificateDates } from '../runtime/tls/certificate-dates.ts';
import type { FileKeeping } from '../runtime/tls/file-keeping.ts';
import { VERSION } from '../runtime/version.ts';
import type { Host } from './host.ts';

/** What the commands that serve have in common: each builds what it runs, says where it listens, waits for a signal, drains. */

/**
 * OpenTelemetry, if its variables ask for it; nothing of it is loaded otherwise. Opened before the planes and after the
 * store, since the last export comes when the planes have ended, and reads the store.
 */
export async function openExport(
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

const DAY_MS = 24 * 3_600_000;

/** Certificates and tokens are read again when their files change, and at SIGHUP; certificates are told of before they end. */
export function openFiles(opened: AsyncDisposableStack, host: Host, log: Logger): Required<FileKeeping> {
  const watch = startFileWatch(log);
  opened.defer(() => watch.close());
  host.onHangup(() => watch.reloadAll());
  const certificates = new CertificateDates(log, systemClock);
  const looks = startPeriodic(
    () => DAY_MS,
    async () => certificates.lookAgain(),
  );
  opened.defer(() => looks.stop());
  return { watch, certificates };
}

export async function keepStore(opened: AsyncDisposableStack, store: Store): Promise<Store> {
  opened.defer(() => store.close());
  return store;
}

/** A signal that comes while the process starts counts as well: it is asked for before anything is opened. */
export async function untilStopped(stopRequested: Promise<string>, log: Logger): Promise<void> {
  const signal = await stopRequested;
  log.info({ signal }, 'stopping: finishing what runs; a second signal ends it at once');
}
