import { createLog } from '../../src/runtime/log.ts';
import { openExporting } from '../../src/runtime/otel/exporting.ts';
import { readExportSettings } from '../../src/runtime/otel/settings.ts';
import { Rig } from '../helpers/rig.ts';

/** The proxy that `tracing.ts` measures: `tracing-proxy.ts <worker's url>`, with OpenTelemetry's variables set or not. */

const [workerUrl = ''] = process.argv.slice(2);

const { settings } = readExportSettings(process.env);
const log = createLog('silent');
const exporting =
  settings && (await openExporting({ settings, serviceName: 'lanewise-proxy', version: '0', log }));
const rig = await Rig.start(exporting?.tracer && { tracer: exporting.tracer });
await exporting?.exportMetrics({ proxy: rig.proxy.metrics });
await rig.register({ id: 'stable', version: 'v1', url: workerUrl });
await rig.register({ id: 'canary', version: 'v2', url: workerUrl, lane: 'canary' });
await rig.setPercentage(await rig.createDeployment(), 10);

/** Each message is a question: microseconds of CPU so far, of all threads. */
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send!(user + system);
});
process.send!(rig.dispatchUrl);
