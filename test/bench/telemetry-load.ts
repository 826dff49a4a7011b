import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createHistogram, record } from '../../src/core/histogram.ts';
import { createLanesTotals, type LanesTotals } from '../../src/core/lane-totals.ts';
import { OUTCOME_INDEX } from '../../src/core/outcome.ts';
import { telemetryKey } from '../../src/runtime/store/redis/keys.ts';
import { SCRIPTS } from '../../src/runtime/store/redis/scripts.ts';
import { recordArguments } from '../../src/runtime/store/redis/telemetry.ts';
import { randomOf } from '../core/fixtures.ts';

/** Proxies that do nothing but send their telemetry, each over a connection of its own, as in a fleet. */

export interface TelemetryPart {
  readonly url: string;
  readonly proxies: number;
  readonly queues: readonly string[];
  readonly step: number;
  readonly seconds: number;
}

export interface TelemetrySent {
  /** By queue, then by sample: how often it was sent. */
  readonly sent: readonly (readonly number[])[];
  readonly failures: number;
}

/** Of a queue on one proxy. */
const JOBS_A_SECOND = 20;
const CANARY_SHARE = 0.1;
const MEDIAN_MS = 50;

/** A log-normal spread like that of jobs that wait for a database: p95 = 2.3 × the median. */
const SIGMA = 0.5;

/** Deltas of one second each, the same at every run. */
export function samples(): readonly LanesTotals[] {
  const random = randomOf(1);
  return Array.from({ length: 200 }, () => {
    const delta = createLanesTotals();
    for (let job = 0; job < JOBS_A_SECOND; job++) {
      const lane = delta[random() < CANARY_SHARE ? 'canary' : 'stable'];
      lane.routed++;
      lane.outcomes[random() < 0.01 ? OUTCOME_INDEX.failure : OUTCOME_INDEX.success]!++;
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      record(lane.latency, MEDIAN_MS * Math.exp(SIGMA * normal));
    }
    return delta;
  });
}

/** What so many of each sample add up to, with times in whole microseconds, as they are sent. */
export function totalOf(deltas: readonly LanesTotals[], times: readonly number[]): LanesTotals {
  const total = createLanesTotals();
  for (const lane of ['stable', 'canary'] as const) {
    const sum = total[lane];
    const latency = createHistogram();
    let microseconds = 0;
    deltas.forEach((delta, i) => {
      const n = times[i]!;
      const part = delta[lane];
      if (n === 0) return;
      sum.routed += n * part.routed;
      part.outcomes.forEach((count, outcome) => (sum.outcomes[outcome]! += n * count));
      part.latency.counts.forEach((count, bucket) => (latency.counts[bucket]! += n * count));
      latency.count += n * part.latency.count;
      microseconds += n * Math.round(part.latency.sum * 1000);
      latency.max = Math.max(latency.max, Math.ceil(part.latency.max * 1000) / 1000);
    });
    Object.assign(sum.latency, latency, { sum: microseconds / 1000 });
  }
  return total;
}

/** A command as it goes over the wire (RESP). */
export function encoded(...words: readonly string[]): Buffer {
  return Buffer.from(
    `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
  );
}

/** The same bytes as the store sends, made beforehand: otherwise the senders would need more CPU than the server. */
function commandsOf({ queues, step }: TelemetryPart, deltas: readonly LanesTotals[]): readonly Buffer[][] {
  const sha = createHash('sha1').update(SCRIPTS.recordTelemetry.lua).digest('hex');
  return queues.map((queue) =>
    deltas.map((delta) =>
      encoded('EVALSHA', sha, '1', telemetryKey(queue), ...recordArguments(step, delta)!),
    ),
  );
}

/** One proxy's connection. Every answer must be OK. */
class Connection {
  readonly #socket: Socket;
  #received = '';
  unanswered = 0;
  failures = 0;

  constructor(socket: Socket) {
    this.#socket = socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')));
  }

  static async open(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new Connection(socket);
  }

  send(command: Buffer): void {
    this.unanswered++;
    this.#socket.write(command);
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    const lines = (this.#received + text).split('\r\n');
    this.#received = lines.pop()!;
    for (const line of lines) {
      if (line === '$2') continue;
      this.unanswered--;
      if (line !== 'OK') this.failures++;
    }
  }
}

/** Each proxy sends all its queues at once, at its own moment of each second. */
export async function sendTelemetry(part: TelemetryPart, onStarted: () => void): Promise<TelemetrySent> {
  const { url, proxies, queues, seconds } = part;
  const deltas = samples();
  const commands = commandsOf(part, deltas);
  const connections = await Promise.all(Array.from({ length: proxies }, () => Connection.open(url)));
  onStarted();

  const sent = queues.map(() => deltas.map(() => 0));
  let next = 0;
  const send = (connection: Connection): void => {
    for (let queue = 0; queue < queues.length; queue++) {
      const sample = next++ % deltas.length;
      connection.send(commands[queue]![sample]!);
      sent[queue]![sample]!++;
    }
  };
  const start = performance.now();
  for (let due = 0, elapsed = 0; elapsed < seconds; await delay(2)) {
    elapsed = Math.min((performance.now() - start) / 1000, seconds);
    for (; due < elapsed * proxies; due++) send(connections[due % proxies]!);
  }
  while (connections.some(({ unanswered }) => unanswered > 0)) await delay(10);
  for (const connection of connections) connection.close();
  return { sent, failures: connections.reduce((sum, { failures }) => sum + failures, 0) };
}
