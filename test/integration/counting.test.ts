import { expect, test, vi } from 'vitest';
import { request } from 'undici';
import { QUEUE } from '../helpers/api.ts';
import { freePort } from '../helpers/ports.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { enlist, Fleet, Standalone, type ProxyFace, type System } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/**
 * What `canary_jobs_total` says is what happened: added up over the proxies it equals the dispatches made, by lane and
 * version, whatever became of them. The judge and every dashboard stand on that.
 */

/** What a worker is told to do with a job, and the word for it in the metrics. */
const FATES = {
  ok: 'success',
  moved: 'success',
  refused: 'failure',
  crashed: 'failure',
  broken: 'failure',
  cut: 'failure',
  hung: 'timeout',
  busy: 'rejected',
  full: 'rejected',
  left: 'aborted',
} as const satisfies Record<string, string>;

type Fate = keyof typeof FATES;

const FATE_NAMES = Object.keys(FATES) as Fate[];
/** So that some jobs of each kind meet each lane. */
const ROUNDS = 8;
const PERCENTAGE = 40;

function fateOf(jobId: string): Fate {
  return jobId.split('-')[0] as Fate;
}

interface Received {
  readonly lane: string;
  readonly version: string;
}

/** By job id. */
type Ledger = Map<string, Received>;

function startWorker(version: string, ledger: Ledger, onLeft: (jobId: string) => void): Promise<TestWorker> {
  return TestWorker.start(version, ({ headers }, response) => {
    // No connection is kept, so that a worker which has stopped is unreachable and nothing else.
    response.shouldKeepAlive = false;
    const jobId = String(headers['x-job-id']);
    ledger.set(jobId, { lane: String(headers['x-canary-lane']), version });
    const fate = fateOf(jobId);
    switch (fate) {
      case 'ok':
        response.end('done');
        break;
      case 'moved':
        response.writeHead(302, { location: '/elsewhere' }).end();
        break;
      case 'refused':
        response.writeHead(422).end();
        break;
      case 'crashed':
        response.writeHead(500).end();
        break;
      case 'broken':
        response.destroy();
        break;
      case 'cut':
        response.writeHead(200, { 'content-length': '100' }).write('half', () => response.destroy());
        break;
      case 'busy':
        response.writeHead(429).end();
        break;
      case 'full':
        response.writeHead(503, { 'retry-after': '1' }).end();
        break;
      case 'left':
        onLeft(jobId);
        break;
      case 'hung':
        break;
      default:
        fate satisfies never;
    }
  });
}

/** @returns the status, undefined for a job of which the answer never came whole */
async function sendJob(
  { dispatchUrl }: ProxyFace,
  jobId: string,
  signal?: AbortSignal,
): Promise<number | undefined> {
  try {
    const answer = await request(`${dispatchUrl}/dispatch/${QUEUE}`, {
      method: 'POST',
      headers: { 'x-job-id': jobId },
      body: '{}',
      signal: signal ?? null,
      reset: true,
    });
    await answer.body.dump();
    return answer.statusCode;
  } catch (error) {
    const isMeant = jobId.startsWith('cut-') || jobId.startsWith('left-');
    if (!isMeant) throw error;
    return undefined;
  }
}

function labels(lane: string, version: string, outcome: string): string {
  return `queue="${QUEUE}",lane="${lane}",version="${version}",outcome="${outcome}"`;
}

function add(counts: Map<string, number>, key: string, value = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + value);
}

/** Of all proxies together, without the zeros. */
async function jobsTotal(proxies: readonly ProxyFace[]): Promise<Map<string, number>> {
  const total = new Map<string, number>();
  for (const proxy of proxies) {
    for (const [key, value] of await proxy.metric('canary_jobs_total')) {
      if (value > 0) add(total, key, value);
    }
  }
  return total;
}

const SETTINGS = { LANEWISE_DISPATCH_TIMEOUT: '2s', LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring' } as const;

const SYSTEMS = [
  { name: 'one process', start: () => Standalone.start(SETTINGS) },
  { name: 'three proxies', start: () => Fleet.start(3, SETTINGS) },
] as const;

test.each(SYSTEMS)(
  'the jobs counted by $name are the dispatches made, whatever became of them',
  async ({ start }) => {
    await using system: System = await start();
    const ledger: Ledger = new Map();
    const producers = new Map<string, AbortController>();
    const leave = (jobId: string): void => producers.get(jobId)?.abort();
    await using stable = await startWorker('v1', ledger, leave);
    await using canary = await startWorker('v2', ledger, leave);
    await enlist(system, { id: 'stable-1', version: 'v1', url: stable.url });
    await enlist(system, { id: 'canary-1', version: 'v2', url: canary.url, lane: 'canary' });
    const deployment = await system.api.createDeployment('v1', 'v2');
    await system.api.setPercentage(deployment, PERCENTAGE);

    const jobs = FATE_NAMES.flatMap((fate) => Array.from({ length: ROUNDS }, (_, i) => `${fate}-${i}`));
    const statuses = await Promise.all(
      jobs.map((jobId, i) => {
        if (jobId.startsWith('left-')) producers.set(jobId, new AbortController());
        return sendJob(system.proxies[i % system.proxies.length]!, jobId, producers.get(jobId)?.signal);
      }),
    );
    // Every job was given to one worker, and both lanes had their share.
    expect([...ledger.keys()].toSorted()).toEqual(jobs.toSorted());
    expect(new Set([...ledger.values()].map(({ lane, version }) => `${lane} ${version}`))).toEqual(
      new Set(['stable v1', 'canary v2']),
    );

    const expected = new Map<string, number>();
    for (const [i, jobId] of jobs.entries()) {
      const { lane, version } = ledger.get(jobId)!;
      // On a machine that is busy a job may run into the limit that was not meant to.
      add(expected, labels(lane, version, statuses[i] === 504 ? 'timeout' : FATES[fateOf(jobId)]));
    }
    expect(statuses.filter((_status, i) => fateOf(jobs[i]!) === 'hung')).toEqual(Array(ROUNDS).fill(504));
    // A producer that leaves is noticed a moment after it has left.
    await vi.waitUntil(async () => {
      const counts = await jobsTotal(system.proxies);
      return [...counts.values()].reduce((a, b) => a + b, 0) >= jobs.length;
    }, PATIENCE);
    expect(sorted(await jobsTotal(system.proxies))).toEqual(sorted(expected));
    for (const proxy of system.proxies) {
      expect(new Set((await proxy.metric('canary_jobs_in_flight')).values())).toEqual(new Set([0]));
    }

    // What nobody took is counted for the version that it was meant for; what found a home elsewhere, for that one.
    await canary.stop();
    await Promise.all(system.proxies.map((proxy, i) => sendJobs(proxy, `ok-fallback-${i}`, 10)));
    const fallen = [...ledger.keys()].filter((jobId) => jobId.startsWith('ok-fallback'));
    expect(fallen).toHaveLength(10 * system.proxies.length);
    add(expected, labels('stable', 'v1', 'success'), fallen.length);
    await stable.stop();
    await Promise.all(system.proxies.map((proxy, i) => sendJobs(proxy, `ok-nobody-${i}`, 5)));
    await vi.waitUntil(async () => {
      const counts = await jobsTotal(system.proxies);
      return [...counts.values()].reduce((a, b) => a + b, 0) === jobs.length + 15 * system.proxies.length;
    }, PATIENCE);
    const reached = [...(await jobsTotal(system.proxies))].filter(([key]) => !key.includes('unreachable'));
    expect(sorted(reached)).toEqual(sorted(expected));
  },
);

async function sendJobs(proxy: ProxyFace, prefix: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await sendJob(proxy, `${prefix}-${i}`);
}

function sorted(counts: Iterable<readonly [string, number]>): (readonly [string, number])[] {
  return [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

test('a dispatch that no worker takes is unreachable, and counted once however many were tried', async () => {
  await using system = await Standalone.start(SETTINGS);
  for (const id of ['gone-1', 'gone-2', 'gone-3']) {
    await enlist(system, { id, version: 'v1', url: `http://127.0.0.1:${await freePort()}` });
  }
  const answer = await system.proxy.send({ 'x-job-id': 'a' });
  expect(answer.status).toBe(503);
  expect(answer.headers['x-canary-error']).toBe('WORKER_UNREACHABLE');
  expect(await jobsTotal(system.proxies)).toEqual(new Map([[labels('stable', 'v1', 'unreachable'), 1]]));
});
