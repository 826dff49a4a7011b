import { join } from 'node:path';
import { CONTENDERS, reasonOf, type Started } from './contenders.ts';
import { startLanewise } from './lanewise.ts';
import type { Lanes } from './nginx.ts';
import { Program } from './program.ts';
import { OURS, type Axis, type AxisRow, type Settings } from './run.ts';
import { load, measure, type Load } from './wrk.ts';

/** The same load with one thing changed: how large, how many at once, how many queues, how many workers. */

export interface AxesContext {
  readonly settings: Settings;
  readonly lanes: Lanes;
  readonly log: (text: string) => void;
  /** Is told of what a peer could not do, and why. */
  readonly missing: string[];
}

const WARM_UP_SECONDS = 2;
const MIB = 2 ** 20;
const BODY_BYTES = [0, 500, 64 * 1024, 10 * MIB];
const CONNECTIONS = [1, 64, 1000];
const QUEUES = [1, 100, 1000, 10_000];
const WORKERS = [2, 100, 1000];

/** Beside ours, one that is written in C and the fastest on Node. */
const PEERS: ReadonlySet<string> = new Set(['HAProxy', 'fast-proxy', OURS]);

export async function measureAxes(context: AxesContext): Promise<readonly Axis[]> {
  return [await bodies(context), await connections(context), await queues(context), await workers(context)];
}

/** To a worker that reads all of a body before it answers. */
async function bodies(context: AxesContext): Promise<Axis> {
  await using opened = new AsyncDisposableStack();
  const urls: string[] = [];
  for (let i = 0; i < 2; i++) {
    const sink = opened.use(new Program(process.execPath, [join(import.meta.dirname, 'peers/sink.mjs')]));
    urls.push((await sink.printed(/^http:\S+/))[0]);
  }
  const rows = await beside(context, { stable: [urls[0]!], canary: [urls[1]!] }, BODY_BYTES, (bodyBytes) => ({
    bodyBytes,
    // A few large ones keep a proxy busy.
    connections: bodyBytes >= MIB ? 8 : context.settings.connections,
  }));
  return { title: 'Size of the body', unit: 'bytes', rows };
}

async function connections(context: AxesContext): Promise<Axis> {
  const rows = await beside(context, context.lanes, CONNECTIONS, (count) => ({ connections: count }));
  return { title: 'Connections of producers', unit: 'connections', rows };
}

async function beside(
  context: AxesContext,
  lanes: Lanes,
  values: readonly number[],
  change: (value: number) => Partial<Load>,
): Promise<readonly AxisRow[]> {
  const rows: AxisRow[] = [];
  for (const value of values) {
    for (const contender of CONTENDERS.filter(({ name }) => PEERS.has(name))) {
      try {
        await using opened = new AsyncDisposableStack();
        const started = await contender.start(opened, lanes);
        rows.push(await one(context, contender.name, started, value, change(value)));
      } catch (error) {
        if (contender.isOurs) throw error;
        context.missing.push(`${contender.name}, ${value}: ${reasonOf(error)}`);
      }
    }
  }
  return rows;
}

/** Each queue with a deployment at 10 %, all on the same workers. */
async function queues(context: AxesContext): Promise<Axis> {
  const rows: AxisRow[] = [];
  for (const count of QUEUES) {
    await using opened = new AsyncDisposableStack();
    let started: Started;
    try {
      started = await startLanewise(opened, context.lanes, count);
    } catch (error) {
      // So many deployments are work for the control plane and Redis, which are not what is measured.
      context.missing.push(`${count} queues could not be set up: ${reasonOf(error)}`);
      continue;
    }
    rows.push(await one(context, OURS, started, count, count === 1 ? {} : { queues: count }));
  }
  return { title: 'Queues, each with a deployment', unit: 'queues', rows };
}

/** Many workers behind few ports: by its path each has an address, and so connections, of its own. */
async function workers(context: AxesContext): Promise<Axis> {
  const rows: AxisRow[] = [];
  const many = ([url]: readonly string[], count: number): readonly string[] =>
    Array.from({ length: count }, (_, i) => `${url}/${i}`);
  for (const count of WORKERS) {
    await using opened = new AsyncDisposableStack();
    const { stable, canary } = context.lanes;
    const started = await startLanewise(opened, { stable: many(stable, count), canary: many(canary, count) });
    rows.push(await one(context, OURS, started, count, {}));
  }
  return { title: 'Workers of each lane', unit: 'workers', rows };
}

async function one(
  { settings, log }: AxesContext,
  name: string,
  { program, url }: Started,
  value: number,
  change: Partial<Load>,
): Promise<AxisRow> {
  log(`${name}, ${JSON.stringify({ value, ...change })}`);
  const { seconds, connections: count, bodyBytes } = settings;
  const path = `${url}/dispatch/jobs`;
  const options: Load = { url: path, seconds, connections: count, bodyBytes, ...change };
  await load(name, { ...options, seconds: Math.min(seconds, WARM_UP_SECONDS) });
  const { result, usage } = await measure(name, program, options);
  return { name, value, requestsPerSecond: result.requests / result.seconds, ...usage };
}
