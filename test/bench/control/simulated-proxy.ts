import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import { channelsOf, KEYS, telemetryKey } from '../../../src/runtime/store/redis/keys.ts';
import { SCRIPTS } from '../../../src/runtime/store/redis/scripts.ts';
import { encoded } from '../telemetry-load.ts';

/**
 * A proxy as Redis sees it, over two plain sockets: subscribes, then reads the snapshot, applies what follows it,
 * reports what it applied at once and every two seconds, asks for the head every five, sends telemetry every second. It
 * compiles no routes: a fleet does that on a thousand machines, and here it would be on one.
 */
export interface SimulatedProxyOptions {
  readonly port: number;
  readonly id: string;
  /** Commands of one second's telemetry, by turns. */
  readonly telemetry: readonly Buffer[];
  readonly onApplied: (revision: number) => void;
}

const REPORT_EVERY_MS = 2000;
const HEAD_EVERY_MS = 5000;
const TELEMETRY_EVERY_MS = 1000;
const LEASE_MS = '5000';

const { epoch, server, revision, routes, routing, leases, reports } = KEYS;
const channels = channelsOf(0);

type SimulatedScript = 'readSnapshot' | 'readHead' | 'reportApplied' | 'recordTelemetry';
export const SIMULATED_SCRIPTS: readonly SimulatedScript[] = [
  'readSnapshot',
  'readHead',
  'reportApplied',
  'recordTelemetry',
];

const shas = Object.fromEntries(
  SIMULATED_SCRIPTS.map((script) => [script, createHash('sha1').update(SCRIPTS[script].lua).digest('hex')]),
) as Record<SimulatedScript, string>;

function call(script: SimulatedScript, keys: readonly string[], args: readonly string[]): Buffer {
  return encoded('EVALSHA', shas[script], String(keys.length), ...keys, ...args);
}

export function telemetryCommand(deployment: string, args: readonly string[]): Buffer {
  return call('recordTelemetry', [telemetryKey(deployment)], args);
}

export class SimulatedProxy {
  readonly #options: SimulatedProxyOptions;
  #commands!: Socket;
  #updates!: Socket;
  #epoch = '';
  #revision = -1;
  #text = '';
  /** Updates that did not follow the one before, and errors that Redis answered. */
  failures = 0;
  snapshotBytes = 0;

  constructor(options: SimulatedProxyOptions) {
    this.#options = options;
  }

  /** Resolves when it has the snapshot and has reported it. */
  async start(): Promise<void> {
    const { port } = this.#options;
    [this.#updates, this.#commands] = await Promise.all([open(port), open(port)]);
    this.#updates.write(encoded('SUBSCRIBE', channels.routes));
    await once(this.#updates, 'data');
    this.#updates.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')));
    await this.#readSnapshot();
    this.#commands.on('data', (chunk: Buffer) => {
      if (/(^|\n)-/.test(chunk.toString('latin1'))) this.failures++;
    });
    this.#report();
    void this.#every(REPORT_EVERY_MS, () => this.#report());
    const head = call('readHead', [epoch, server, revision, routes], [uuid(), channels.routes]);
    void this.#every(HEAD_EVERY_MS, () => this.#commands.write(head));
    let turn = 0;
    const { telemetry } = this.#options;
    void this.#every(TELEMETRY_EVERY_MS, () => this.#commands.write(telemetry[turn++ % telemetry.length]!));
  }

  /** From a moment of its own on. */
  async #every(ms: number, work: () => void): Promise<void> {
    await delay(ms * Math.random());
    work();
    setInterval(work, ms);
  }

  async #readSnapshot(): Promise<void> {
    const end = `end-of-snapshot-${this.#options.id}`;
    const keys = [epoch, server, revision, routes, routing];
    const { promise, resolve } = Promise.withResolvers<void>();
    let beginning = '';
    let tail = '';
    const onData = (chunk: Buffer): void => {
      this.snapshotBytes += chunk.length;
      if (beginning.length < 100) beginning += chunk.toString('latin1', 0, 100);
      tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - 100))).slice(-100);
      if (tail.endsWith(`${end}\r\n`)) resolve();
    };
    this.#commands.on('data', onData);
    this.#commands.write(call('readSnapshot', keys, [uuid(), channels.routes]));
    this.#commands.write(encoded('ECHO', end));
    await promise;
    this.#commands.off('data', onData);
    const [, ofEpoch, ofRevision] = /^\*4\r\n\$36\r\n(\S+)\r\n\$\d+\r\n(\d+)\r\n/.exec(beginning) ?? [];
    if (ofEpoch === undefined) throw new Error(`no snapshot: ${beginning}`);
    this.#epoch = ofEpoch;
    this.#revision = Number(ofRevision);
  }

  /** RESP: `message`, channel, and the update: `<epoch> <revision> <kind> <json>`. */
  #read(chunk: string): void {
    this.#text += chunk;
    let applied = false;
    for (;;) {
      const head = /^\*3\r\n\$7\r\nmessage\r\n\$\d+\r\n\S+\r\n\$(\d+)\r\n/.exec(this.#text);
      if (head === null) break;
      const from = head[0].length;
      const to = from + Number(head[1]);
      if (this.#text.length < to + 2) break;
      const [ofEpoch, ofRevision] = this.#text.slice(from, from + 80).split(' ', 2);
      this.#text = this.#text.slice(to + 2);
      applied = this.#apply(ofEpoch!, Number(ofRevision)) || applied;
    }
    // As a proxy does, once it has read all that came.
    if (applied) setImmediate(() => this.#report());
  }

  #apply(ofEpoch: string, next: number): boolean {
    if (next <= this.#revision) return false;
    if (ofEpoch !== this.#epoch || next !== this.#revision + 1) this.failures++;
    this.#revision = next;
    this.#options.onApplied(next);
    return true;
  }

  #report(): void {
    const applied = `${this.#epoch} ${this.#revision}`;
    const args = [channels.reports, this.#options.id, applied, LEASE_MS];
    this.#commands.write(call('reportApplied', [leases, reports], args));
  }
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket.setNoDelay(true);
}
