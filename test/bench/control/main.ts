import { measuredOn } from '../measured-on.ts';
import { writeFigures } from '../figures-file.ts';
import type { ControlFigures, FleetFigures } from './figures.ts';
import { runFleet, type FleetPlan } from './fleet-run.ts';
import { controlTables, renderControl } from './markdown.ts';

/**
 * `npm run bench:control`: a control plane with a hundred, a thousand and ten thousand deployments and as many workers, and a
 * thousand proxies. Prints what `docs/performance-control-plane.md` shows; with `-- --write` it goes there.
 */

const SIZES = (process.env['SIZES'] ?? '100,1000,10000').split(',').map(Number);
const PLAN: FleetPlan = {
  proxies: Number(process.env['PROXIES'] ?? 1000),
  changes: 300,
  calls: 100,
  restSeconds: 10,
};

const print = (line = ''): void => void process.stdout.write(`${line}\n`);

const fleets: FleetFigures[] = [];
for (const size of SIZES) {
  fleets.push(await runFleet(size, PLAN));
  print(`${size} deployments: every proxy had every change, in order`);
}
const figures: ControlFigures = { ...measuredOn(), fleets };
print();
print(controlTables(figures));
if (process.argv.includes('--write')) await writeFigures('control-plane', figures, renderControl);
