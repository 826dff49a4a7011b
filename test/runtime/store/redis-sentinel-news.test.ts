import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { startRedis } from '../../helpers/redis.ts';
import { until } from '../../helpers/patience.ts';
import { openTestStore } from './redis-fixture.ts';

/**
 * A proxy had lost its connection to Redis and was asking a Sentinel for the master, when another Sentinel told of the
 * fail-over. The client library stopped connecting, and the proxy was without Redis until it was started again. To have
 * both at once, this Sentinel is one that answers when it is told to.
 */
class SlowSentinel implements AsyncDisposable {
  readonly port: number;
  asked = 0;
  #isHolding = false;
  readonly #held: (() => void)[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #subscribers = new Set<Socket>();
  readonly #server;

  private constructor(server: ReturnType<typeof createServer>, master: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.#subscribers.delete(socket));
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString();
        for (let command = commandOf(text); command !== undefined; command = commandOf(text)) {
          text = text.slice(command.length);
          this.#answer(socket, command.words, master);
        }
      });
    });
  }

  static async start(master: number): Promise<SlowSentinel> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SlowSentinel(server, master);
  }

  get hasSubscriber(): boolean {
    return this.#subscribers.size > 0;
  }

  hold(): void {
    this.#isHolding = true;
  }

  release(): void {
    this.#isHolding = false;
    for (const answer of this.#held.splice(0)) answer();
  }

  tellOfFailOver(): void {
    const news = `main 127.0.0.1 ${this.port} 127.0.0.1 ${this.port}`;
    for (const socket of this.#subscribers) socket.write(listOf('message', '+switch-master', news));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer(socket: Socket, words: readonly string[], master: number): void {
    const [command, verb] = words.map((word) => word.toLowerCase());
    if (command === 'subscribe') {
      this.#subscribers.add(socket);
      socket.write(`*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n`);
    } else if (command === 'sentinel' && verb === 'get-master-addr-by-name') {
      this.asked++;
      const answer = (): void => void socket.write(listOf('127.0.0.1', String(master)));
      if (this.#isHolding) this.#held.push(answer);
      else answer();
    } else if (command === 'sentinel') {
      socket.write('*0\r\n');
    } else {
      socket.write(`-ERR unknown command '${command}'\r\n`);
    }
  }
}

function listOf(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

function commandOf(text: string): { readonly words: readonly string[]; readonly length: number } | undefined {
  const [head, count] = /^\*(\d+)\r\n/.exec(text) ?? [];
  if (head === undefined) return undefined;
  const words: string[] = [];
  let at = head.length;
  for (let i = 0; i < Number(count); i++) {
    const [size, digits] = /^\$(\d+)\r\n/.exec(text.slice(at)) ?? [];
    if (size === undefined) return undefined;
    at += size.length;
    words.push(text.slice(at, at + Number(digits)));
    at += Number(digits) + 2;
  }
  return at > text.length ? undefined : { words, length: at };
}

it('comes back where a fail-over is told of while the master is asked for', async () => {
  await using redis = await startRedis();
  await using sentinel = await SlowSentinel.start(redis.port);
  const store = openTestStore(`redis+sentinel://127.0.0.1:${sentinel.port}/main`);
  onTestFinished(() => store.close());
  const answers = (): Promise<boolean> =>
    store.ping().then(
      () => true,
      () => false,
    );
  await until(answers);
  await until(() => sentinel.hasSubscriber);
  sentinel.hold();
  const before = sentinel.asked;
  await redis.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until(() => sentinel.asked > before);
  sentinel.tellOfFailOver();
  // It hangs up on who told of it.
  await until(() => !sentinel.hasSubscriber);
  sentinel.release();
  await until(answers);
  expect(await answers()).toBe(true);
});
