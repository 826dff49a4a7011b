import { once } from 'node:events';
import { createServer, request as httpRequest, Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { Rig } from '../helpers/rig.ts';
import { sendTelemetry, type TelemetryPart } from './telemetry-load.ts';

/** What one process of a measurement does: `part.ts worker|proxy|load|telemetry <json>`. */

const [part, json = '{}'] = process.argv.slice(2);
const tell = (message: unknown): void => void process.send!(message);

export interface ProxyPart {
  readonly kind: 'lanewise' | 'node:http + undici';
  readonly workers: readonly string[];
}

export interface LoadPart {
  readonly url: string;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

const BODY = Buffer.alloc(500, 'x');

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function runWorker(): Promise<void> {
  const server = createServer((incoming, response) => {
    incoming.resume();
    response.end('ok');
  });
  tell(await listen(server));
}

async function runLanewise(workers: readonly string[]): Promise<void> {
  const rig = await Rig.start();
  for (const [i, url] of workers.entries()) {
    await rig.register({ id: `w${i}`, url, version: i === 0 ? 'v2' : 'v1' });
  }
  await rig.setPercentage(await rig.createDeployment(), 10);
  tell(rig.dispatchUrl);
}

/** The least that a proxy on these parts can do: no headers changed, nothing decided, nothing counted. */
async function runPlain(workers: readonly string[]): Promise<void> {
  const pools = workers.map((url) => new Pool(url, { connections: 64 }));
  let next = 0;
  const server = createServer((incoming, response) => {
    const pool = pools[next++ % pools.length]!;
    pool.dispatch(
      {
        path: incoming.url!,
        method: incoming.method!,
        headers: { 'content-length': incoming.headers['content-length']! },
        body: incoming,
      },
      {
        onRequestStart: () => {},
        onResponseStart: (_controller, status) => void response.writeHead(status),
        onResponseData: (_controller, chunk) => void response.write(chunk),
        onResponseEnd: () => void response.end(),
        onResponseError: () => void response.destroy(),
      },
    );
  });
  tell(await listen(server));
}

/** `node:http` as the client: it costs the same for every proxy, and is another code base than what it measures. */
async function runLoad({ url, path, connections, seconds, warmUpSeconds }: LoadPart): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latencies: number[] = [];
  let failures = 0;
  let measuring = false;
  const stopped = new AbortController();
  let customer = 0;
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const start = performance.now();
      const done = (ok: boolean): void => {
        if (measuring) {
          if (ok) latencies.push(performance.now() - start);
          else failures++;
        }
        resolve();
      };
      const outgoing = httpRequest(
        `${url}${path}`,
        {
          agent,
          method: 'POST',
          headers: {
            'content-length': BODY.length,
            'x-canary-sticky-key': `customer-${customer++ % 10_000}`,
          },
        },
        (response) => response.resume().on('end', () => done(response.statusCode === 200)),
      );
      outgoing.on('error', () => done(false));
      outgoing.end(BODY);
    });
  const lane = async (): Promise<void> => {
    while (!stopped.signal.aborted) await one();
  };
  const lanes = Array.from({ length: connections }, lane);
  setTimeout(() => {
    measuring = true;
    tell('measuring');
    const start = performance.now();
    setTimeout(() => {
      measuring = false;
      const elapsed = (performance.now() - start) / 1000;
      latencies.sort((a, b) => a - b);
      const at = (q: number): number => latencies[Math.floor(q * latencies.length)] ?? Number.NaN;
      tell({
        requests: latencies.length,
        failures,
        seconds: elapsed,
        p50: at(0.5),
        p99: at(0.99),
      } satisfies LoadResult);
      stopped.abort();
    }, seconds * 1000);
  }, warmUpSeconds * 1000);
  await Promise.all(lanes);
  agent.destroy();
}

switch (part) {
  case 'worker':
    await runWorker();
    break;
  case 'proxy': {
    const { kind, workers } = JSON.parse(json) as ProxyPart;
    await (kind === 'lanewise' ? runLanewise(workers) : runPlain(workers));
    break;
  }
  case 'load':
    await runLoad(JSON.parse(json) as LoadPart);
    break;
  case 'telemetry':
    // A long message needs its time.
    process.send!(await sendTelemetry(JSON.parse(json) as TelemetryPart, () => tell('started')), () =>
      process.disconnect(),
    );
    break;
  default:
    throw new Error(`unknown part ${String(part)}`);
}
