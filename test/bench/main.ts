import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAxes } from './axes.ts';
import { compare } from './compare.ts';
import { installPeers } from './contenders.ts';
import { benchDecisions } from './decision.ts';
import { writeFigures } from './figures-file.ts';
import { describeMachine } from './machine.ts';
import { startWorkers } from './nginx.ts';
import { renderRun, runAsMarkdown } from './run-markdown.ts';
import { profileLanewise } from './profile.ts';
import { temporaryDirectory } from './program.ts';
import type { BenchRun, Settings } from './run.ts';
import { benchTelemetry } from './telemetry-cost.ts';

/**
 * `npm run bench`: checks that each proxy does what it should, measures it, and prints it beside its peers of the same
 * run. `-- --quick` is for a look while one works; with `-- --write` what was measured goes to `docs/performance.md`.
 */

const ROOT = join(import.meta.dirname, '../..');

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
});

const log = (text: string): void => void process.stderr.write(`${text}\n`);
const settings: Settings = values.quick
  ? { rounds: 1, seconds: 2, connections: 64, bodyBytes: 500 }
  : { rounds: 3, seconds: 5, connections: 64, bodyBytes: 500 };

log('building dist');
execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
const missing = [...(await installPeers())];

await using opened = new AsyncDisposableStack();
const { stable, canary } = await startWorkers(opened, await temporaryDirectory(opened));
const lanes = { stable: [`http://127.0.0.1:${stable}`], canary: [`http://127.0.0.1:${canary}`] };

log('route decisions');
const decisions = [1, 1000, 10_000].map((queues) => benchDecisions(queues, 100));
const telemetryNs = benchTelemetry();
const proxies = await compare(lanes, settings, log, missing);
const axesSettings = { ...settings, seconds: Math.min(settings.seconds, 4) };
const axes = values.quick ? [] : await measureAxes({ settings: axesSettings, lanes, log, missing });
const profile = values.quick ? [] : await profileLanewise(lanes, settings, log);

const run: BenchRun = {
  date: new Date().toISOString().slice(0, 10),
  version: (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version,
  machine: describeMachine(),
  settings,
  proxies,
  missing,
  axes,
  decisions,
  telemetryNs,
  profile,
};
process.stdout.write(`${runAsMarkdown(run)}\n`);
if (values.write) await writeFigures('dispatch', run, renderRun);
