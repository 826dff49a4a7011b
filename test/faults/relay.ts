import { once } from 'node:events';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../helpers/ports.ts';

/**
 * A wire between two parts, that can be cut. Each end sees what it would see of a network: refused connections, resets,
 * silence, or bytes that take their time.
 */
export const WEATHERS = ['clear', 'cut', 'hole', 'deaf', 'mute', 'slow', 'trickle'] as const;
/**
 * - `cut`: connections break, new ones are refused
 * - `hole`: connections stand, new ones are taken, and nothing gets through
 * - `deaf`, `mute`: the same, but only for what goes to the far end, or comes from it
 * - `slow`: each piece takes a while
 * - `trickle`: a few bytes at a time
 */
export type Weather = (typeof WEATHERS)[number];

type Way = 'there' | 'back';

const DARK: Readonly<Record<Way, readonly Weather[]>> = { there: ['hole', 'deaf'], back: ['hole', 'mute'] };
const SLOW_MS = 60;
const DRIP_BYTES = 32;
const DRIP_MS = 5;

export interface RelayOptions {
  /** Ports of the far end, asked for each connection; the first that takes it gets it. */
  readonly targets: () => readonly number[];
  /** What the near end gets instead of what the far end sent; must be as long. */
  readonly translate?: (text: string) => string;
}

export class Relay implements AsyncDisposable {
  readonly #options: RelayOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #weather: Weather = 'clear';
  readonly #port: number;
  #changed = Promise.withResolvers<void>();

  private constructor(options: RelayOptions, port: number) {
    this.#options = options;
    this.#port = port;
    this.#server = createServer({ allowHalfOpen: true }, (near) => void this.#carry(near));
  }

  static async start(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options, await freePort());
    await relay.#listen();
    return relay;
  }

  get port(): number {
    return this.#port;
  }

  async set(weather: Weather): Promise<void> {
    const before = this.#weather;
    this.#weather = weather;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    if (weather === 'cut') {
      this.#server.close();
      this.#breakAll((socket) => socket.destroy());
    }
    // What lies between has forgotten the connections that it was dark for.
    if (isDark(before)) this.reset();
    if (before === 'cut' && weather !== 'cut') await this.#listen();
  }

  /** Every connection breaks with a reset; new ones are taken. */
  reset(): void {
    this.#breakAll((socket) => socket.resetAndDestroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#breakAll((socket) => socket.destroy());
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  #breakAll(how: (socket: Socket) => void): void {
    for (const socket of this.#sockets) how(socket);
  }

  async #carry(near: Socket): Promise<void> {
    this.#own(near);
    near.setNoDelay(true);
    await this.#light('there', near);
    const far = await this.#reach();
    if (far === undefined || near.destroyed) {
      near.resetAndDestroy();
      far?.destroy();
      return;
    }
    this.#own(far);
    far.setNoDelay(true);
    // A reset on one side is one on the other.
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
    void this.#pump('there', near, far);
    void this.#pump('back', far, near);
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async #reach(): Promise<Socket | undefined> {
    for (const port of this.#options.targets()) {
      const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      try {
        await once(far, 'connect');
        return far;
      } catch {
        // The next one.
      }
    }
    return undefined;
  }

  async #pump(way: Way, from: Socket, to: Socket): Promise<void> {
    const { translate } = this.#options;
    let kept = '';
    try {
      for await (const piece of from as AsyncIterable<Buffer>) {
        let bytes = piece;
        if (way === 'back' && translate !== undefined) {
          const text = kept + piece.toString('latin1');
          // A number that is not at its end yet.
          kept = /\d*$/.exec(text)![0];
          bytes = Buffer.from(translate(text.slice(0, text.length - kept.length)), 'latin1');
        }
        await this.#send(way, bytes, to);
      }
      to.end();
    } catch {
      to.destroy();
    }
  }

  async #send(way: Way, bytes: Buffer, to: Socket): Promise<void> {
    await this.#light(way, to);
    if (this.#weather === 'slow') await delay(SLOW_MS);
    const size = this.#weather === 'trickle' ? DRIP_BYTES : Math.max(1, bytes.length);
    for (let at = 0; at < bytes.length; at += size) {
      if (at > 0 && this.#weather === 'trickle') await delay(DRIP_MS);
      if (to.destroyed) return;
      if (!to.write(bytes.subarray(at, at + size))) await once(to, 'drain');
    }
  }

  /** Resolves when bytes get through that way, or there is nobody left to wait. */
  async #light(way: Way, socket: Socket): Promise<void> {
    while (DARK[way].includes(this.#weather) && !socket.destroyed) await this.#changed.promise;
  }
}

function isDark(weather: Weather): boolean {
  return DARK.there.includes(weather) || DARK.back.includes(weather);
}
