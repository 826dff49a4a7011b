import { once } from 'node:events';
import { Agent, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { until } from '../helpers/patience.ts';
import { Rig } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

/** What producers see of a proxy that stops. Signals and processes: `test/integration/shutdown.test.ts`. */

interface Seen {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
}

/** A producer that keeps its one connection. */
class Keeper implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor(rig: Rig) {
    this.#url = `${rig.dispatchUrl}/dispatch/jobs`;
  }

  async send(): Promise<Seen> {
    const outgoing = request(this.#url, { method: 'POST', agent: this.#agent });
    outgoing.end('{}');
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    await once(incoming.resume(), 'end');
    return { status: incoming.statusCode!, headers: incoming.headers };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

interface Holder extends AsyncDisposable {
  readonly worker: TestWorker;
  readonly held: ServerResponse[];
}

async function startHolder(): Promise<Holder> {
  const held: ServerResponse[] = [];
  const worker = await TestWorker.start('v1', (_job, response) => void held.push(response));
  return { worker, held, [Symbol.asyncDispose]: () => worker.stop() };
}

async function isRefused(rig: Rig): Promise<boolean> {
  const { hostname, port } = new URL(rig.dispatchUrl);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

describe('a proxy that drains', () => {
  it('finishes what runs, and tells its producers to close their connections', async () => {
    await using rig = await Rig.start();
    await using holder = await startHolder();
    const { worker, held } = holder;
    await rig.register({ id: 'w', url: worker.url });
    using producer = new Keeper(rig);
    const running = producer.send();
    await until(() => held.length === 1);
    const closed = rig.proxy.close(60_000);
    await until(async () => (await rig.admin('/readyz')).status === 503);
    await until(() => isRefused(rig));
    held[0]!.end('done');
    expect(await running).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await closed;
  });

  it('still serves what comes on open connections meanwhile, and closes those after it', async () => {
    await using rig = await Rig.start({ settings: { LANEWISE_SHUTDOWN_IDLE_GRACE: '1h' } });
    await using worker = await TestWorker.start('v1');
    await rig.register({ id: 'w', url: worker.url });
    using producer = new Keeper(rig);
    expect(await producer.send()).toMatchObject({ status: 200, headers: { connection: 'keep-alive' } });
    const closed = rig.proxy.close(60_000);
    await until(() => isRefused(rig));
    expect(await producer.send()).toMatchObject({ status: 200, headers: { connection: 'close' } });
    // That was the last one, so nobody waits for the hour.
    await closed;
  });

  it('closes idle connections once the grace is over', async () => {
    await using rig = await Rig.start({ settings: { LANEWISE_SHUTDOWN_IDLE_GRACE: '10ms' } });
    const { hostname, port } = new URL(rig.dispatchUrl);
    const socket = connect(Number(port), hostname).resume();
    await once(socket, 'connect');
    const ended = once(socket, 'close');
    await rig.proxy.close(60_000);
    await ended;
    expect(socket.bytesRead).toBe(0);
  });

  it('gives those in line their places until its time is over, and then an answer', async () => {
    await using rig = await Rig.start();
    await using holder = await startHolder();
    const { worker, held } = holder;
    await rig.register({ id: 'w', url: worker.url, maxConcurrency: 1 });
    const answers = Array.from({ length: 3 }, () => rig.send());
    await until(async () => (await rig.metric('canary_jobs_pending')).get('') === 2);
    const closed = rig.proxy.close(1000);
    held[0]!.end('done');
    await until(() => held.length === 2);
    await closed;
    const ends = (await Promise.all(answers)).map(
      ({ status, headers }) => `${status} ${String(headers['x-canary-error'])}`,
    );
    expect(ends.toSorted((a, b) => a.localeCompare(b))).toEqual([
      '200 undefined',
      '503 PROXY_OVERLOADED',
      '503 PROXY_OVERLOADED',
    ]);
    // The one that was still in line has not become one that was broken off.
    expect(worker.jobs).toHaveLength(2);
  });
});

describe('a port that is shared', () => {
  it('can be listened on by a second proxy, with `proxy.reuse_port` in both', async () => {
    await using one = await Rig.start({ settings: { LANEWISE_PROXY_REUSE_PORT: 'true' } });
    const { port } = new URL(one.dispatchUrl);
    await using two = await Rig.start({
      settings: { LANEWISE_PROXY_REUSE_PORT: 'true', LANEWISE_PROXY_PORT: port },
    });
    expect(two.dispatchUrl).toBe(one.dispatchUrl);
    await expect(Rig.start({ settings: { LANEWISE_PROXY_PORT: port } })).rejects.toThrow(
      'another process listens there already',
    );
  });
});
