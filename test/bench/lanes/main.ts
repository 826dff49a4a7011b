import { startRedis } from '../../helpers/redis.ts';
import { measuredOn } from '../measured-on.ts';
import { medianOf } from '../median.ts';
import { PartProcess } from '../part-process.ts';
import { writeFigures } from '../figures-file.ts';
import type { DrainStart } from './drain-part.ts';
import type { DrainFigures, LaneFigures, SystemFigures } from './figures.ts';
import { laneTables, renderLanes } from './markdown.ts';
import { measureRate } from './measure-rate.ts';
import { processedOf, runSystem, type Sizes, type System } from './system-run.ts';

/**
 * `npm run bench:lanes`: queue lanes beside BullMQ, each system on a Redis of its own, in rounds that take turns. Prints
 * what `docs/queues-performance.md` shows; with `-- --write` it goes there.
 */

const ROUNDS = Number(process.env['ROUNDS'] ?? 3);
/** A tenth, say, to see that it works. */
const SCALE = Number(process.env['SCALE'] ?? 1);
const SIZES: Sizes = {
  warmUp: 4000 * SCALE,
  accepted: 16_000 * SCALE,
  acceptedInBatches: 30_000 * SCALE,
  slow: 200 * SCALE,
};
const DRAINED = 100_000 * SCALE;

const SYSTEMS: readonly System[] = [
  { name: 'Lanewise, split_queue', kind: 'lanewise', strategy: 'split_queue', isEmbedded: false },
  { name: 'BullMQ', kind: 'bullmq', intake: 'queue', processor: 'calls' },
  { name: 'Lanewise, stream_group', kind: 'lanewise', strategy: 'stream_group', isEmbedded: false },
  { name: 'BullMQ behind HTTP, empty processor', kind: 'bullmq', intake: 'http', processor: 'empty' },
  { name: 'Lanewise, embedded store', kind: 'lanewise', strategy: 'split_queue', isEmbedded: true },
];

const DRAINS = [
  { system: 'Lanewise, split_queue', kind: 'list', isEmbedded: false },
  { system: 'Lanewise, stream_group', kind: 'stream', isEmbedded: false },
  { system: 'Lanewise, embedded store', kind: 'list', isEmbedded: true },
] as const;

const print = (line = ''): void => void process.stdout.write(`${line}\n`);

async function drain({ system, kind, isEmbedded }: (typeof DRAINS)[number]): Promise<DrainFigures> {
  await using redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
  await using part = new PartProcess(new URL('drain-part.ts', import.meta.url));
  const client = redis.client();
  const start: DrainStart = { kind, jobs: DRAINED, ...(!isEmbedded && { redisUrl: redis.url }) };
  await part.ask('fill', start);
  const drained = await measureRate(DRAINED, { 'control plane': part }, client, () =>
    part.ask<number>('drain', DRAINED),
  );
  return { system, drained };
}

const runs = new Map<string, SystemFigures[]>(SYSTEMS.map(({ name }) => [name, []]));
const drains = new Map<string, DrainFigures[]>(DRAINS.map(({ system }) => [system, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const system of SYSTEMS) runs.get(system.name)!.push(await runSystem(system, SIZES));
  for (const one of DRAINS) drains.get(one.system)!.push(await drain(one));
  print(`Round ${round + 1} of ${ROUNDS}: all that was accepted has been processed, once each`);
}

const { accepted, acceptedInBatches } = SIZES;
const figures: LaneFigures = {
  ...measuredOn(),
  rounds: ROUNDS,
  jobs: { accepted, acceptedInBatches, processed: processedOf(SIZES), drained: DRAINED },
  systems: [...runs.values()].map((ofSystem) => medianOf(ofSystem)),
  drained: [...drains.values()].map((ofSystem) => medianOf(ofSystem)),
};
print();
print(laneTables(figures));
if (process.argv.includes('--write')) await writeFigures('lanes', figures, renderLanes);
