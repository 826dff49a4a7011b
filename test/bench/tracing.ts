import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Question } from './tracing-proxy.ts';

/**
 * `npm run bench:tracing`: what traces cost the proxy. CPU of its process a dispatch (hash_ring, sticky, 500-byte POST, 64
 * connections, 10 % canary, metrics exported too); load, worker and receiver are in this one. Rounds alternate and begin
 * with another case each time, so that what else the machine does meets all alike, and the median of the rounds counts.
 * Beside it, what the tracer takes by itself, with the export of its spans: less than can be seen in the whole.
 */

const ROUNDS = 15;
const JOBS = 2000;
const WARM_UP_JOBS = 10_000;
const CONNECTIONS = 64;
const BODY = Buffer.alloc(500, 'x');
const UNRECORDED = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
const CHECKED_JOBS = 300;

interface Case {
  readonly name: string;
  /** Undefined: no variable is set. */
  readonly sampler?: { readonly name: string; readonly ratio?: string };
  /** That jobs come with. */
  readonly traceparent?: string;
  /** Share of the jobs that have a span. */
  readonly recorded: number;
}

const CASES: readonly Case[] = [
  { name: 'no variable set', recorded: 0 },
  {
    name: '0 %, by the producer',
    sampler: { name: 'parentbased_always_on' },
    traceparent: UNRECORDED,
    recorded: 0,
  },
  { name: '0 %, by the proxy', sampler: { name: 'parentbased_always_off' }, recorded: 0 },
  { name: '1 %', sampler: { name: 'parentbased_traceidratio', ratio: '0.01' }, recorded: 0.01 },
  { name: '100 %', sampler: { name: 'parentbased_always_on' }, recorded: 1 },
];

/** Answers `ok`, and keeps the `traceparent` of the last job. */
class Worker {
  lastTrace: string | undefined;
  readonly server = createServer((incoming, response) => {
    this.lastTrace = incoming.headers['traceparent'] as string | undefined;
    incoming.resume();
    response.end('ok');
  });
}

/** Takes everything. Each proxy exports below a path of its own; spans are counted by their name, which each has once. */
class Receiver {
  readonly #spans = new Map<string, number>();
  readonly server = createServer((incoming, response) => void this.#take(incoming, () => response.end()));

  async #take(incoming: IncomingMessage, onTaken: () => void): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const path = incoming.url!.slice(0, incoming.url!.indexOf('/v1/'));
    for (let at = body.indexOf(NAME); at !== -1; at = body.indexOf(NAME, at + NAME.length))
      this.#spans.set(path, this.spansOf(path) + 1);
    onTaken();
  }

  spansOf(path: string): number {
    return this.#spans.get(path) ?? 0;
  }
}

const NAME = 'process jobs';

interface Contender extends Case {
  /** Where its exports go. */
  readonly path: string;
  readonly process: ChildProcess;
  readonly url: string;
  readonly agent: Agent;
  readonly cpuPerJob: number[];
  sent: number;
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function start(one: Case, path: string, workerUrl: string, receiverUrl: string): Promise<Contender> {
  const { sampler } = one;
  const variables = sampler && {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${receiverUrl}${path}`,
    OTEL_TRACES_SAMPLER: sampler.name,
    OTEL_TRACES_SAMPLER_ARG: sampler.ratio ?? '',
    OTEL_BSP_SCHEDULE_DELAY: '200',
    // On a machine that is short of time the receiver is slow, which is not what is measured.
    OTEL_BSP_MAX_QUEUE_SIZE: '20000',
  };
  const child = fork(
    fileURLToPath(new URL('tracing-proxy.ts', import.meta.url)),
    [workerUrl, one.traceparent ?? []].flat(),
    {
      env: { ...process.env, ...variables },
    },
  );
  living.add(child);
  const [url] = (await once(child, 'message')) as [string];
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  return { ...one, path, process: child, url, agent, cpuPerJob: [], sent: 0 };
}

/** A bench that fails leaves nothing behind. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** @throws where it is not answered by the worker */
function send(to: Contender): Promise<void> {
  const headers = {
    'content-length': BODY.length,
    'x-canary-sticky-key': `customer-${to.sent++ % 10_000}`,
    ...(to.traceparent !== undefined && { traceparent: to.traceparent }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${to.url}/dispatch/jobs`,
      { agent: to.agent, method: 'POST', headers },
      (answer) =>
        answer.resume().on('end', () => {
          if (answer.statusCode === 200) resolve();
          else reject(new Error(`${to.name}: a dispatch was answered ${answer.statusCode}`));
        }),
    );
    outgoing.on('error', reject);
    outgoing.end(BODY);
  });
}

async function load(to: Contender, jobs: number): Promise<void> {
  let left = jobs;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await send(to);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, lane));
}

async function ask({ process: child }: Contender, question: Question): Promise<number> {
  child.send(question);
  const [microseconds] = (await once(child, 'message')) as [number];
  return microseconds;
}

/** Correctness first: a fast wrong answer is no result. */
async function check(to: Contender, worker: Worker, receiver: Receiver): Promise<void> {
  for (let i = 0; i < CHECKED_JOBS; i++) await send(to);
  if (to.traceparent !== undefined && worker.lastTrace !== to.traceparent)
    throw new Error(`${to.name}: the worker got the trace ${String(worker.lastTrace)}`);
  if ((to.sampler === undefined) !== (worker.lastTrace === undefined))
    throw new Error(`${to.name}: the worker got the trace ${String(worker.lastTrace)}`);
  // Of so many, a hundredth may be none by chance.
  const [least, most] =
    to.recorded === 0.01 ? [0, 30] : [to.recorded * CHECKED_JOBS, to.recorded * CHECKED_JOBS];
  for (let i = 0; receiver.spansOf(to.path) < Math.max(least, 1) && i < 20; i++) await delay(100);
  const spans = receiver.spansOf(to.path);
  if (spans < least || spans > most)
    throw new Error(`${to.name}: ${spans} spans of ${CHECKED_JOBS} jobs came`);
}

/** Of a tight loop, and of spans that have to be delivered in between. */
const ALONE_JOBS = { unrecorded: 300_000, recorded: 15_000 };
const ALONE_RUNS = 2;

/** Microseconds of the tracer a job, with the export of its span if it has one; the best of some. */
async function alone(to: Contender): Promise<number> {
  const isRecorded = to.recorded === 1;
  const spansOf = isRecorded ? ALONE_JOBS.recorded : ALONE_JOBS.unrecorded;
  const costs: number[] = [];
  for (let run = 0; run < ALONE_RUNS; run++) {
    const before = receiver.spansOf(to.path);
    costs.push(await ask(to, { spansOf, isRecorded }));
    const share = (receiver.spansOf(to.path) - before) / spansOf;
    if (isRecorded && share < 0.99) throw new Error(`${to.name}: only ${share} of the spans came`);
  }
  return Math.min(...costs);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

const worker = new Worker();
const receiver = new Receiver();
const workerUrl = await listen(worker.server);
const receiverUrl = await listen(receiver.server);
const contenders: Contender[] = [];
for (const [i, one] of CASES.entries()) contenders.push(await start(one, `/${i}`, workerUrl, receiverUrl));
for (const one of contenders) {
  await check(one, worker, receiver);
  await load(one, WARM_UP_JOBS);
}
for (let round = 0; round < ROUNDS; round++) {
  const turn = round % contenders.length;
  for (const one of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
    const before = await ask(one, 'cpu');
    await load(one, JOBS);
    one.cpuPerJob.push(((await ask(one, 'cpu')) - before) / JOBS);
  }
}

const [without] = contenders;
const base = median(without!.cpuPerJob);
print(`Traces, ${ROUNDS} rounds of ${JOBS} jobs, medians (lowest to highest)`);
print('  recorded              µs CPU/dispatch                more   spans delivered   tracer alone');
for (const one of contenders) {
  const middle = median(one.cpuPerJob);
  const range = `(${Math.min(...one.cpuPerJob).toFixed(1)} to ${Math.max(...one.cpuPerJob).toFixed(1)})`;
  const more = one === without ? '' : `${(100 * (middle / base - 1)).toFixed(0)} %`;
  print(
    `  ${one.name.padEnd(22)}${middle.toFixed(1).padStart(6)}  ${range.padEnd(20)}${more.padStart(8)}` +
      `   ${((100 * receiver.spansOf(one.path)) / one.sent).toFixed(1)} % of jobs`.padEnd(26) +
      (one.sampler === undefined ? '' : `${(await alone(one)).toFixed(1)} µs`),
  );
}
process.exit();
