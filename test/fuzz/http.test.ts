import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { parseRequests, RawClient, RawWorker } from '../helpers/raw-http.ts';
import { Rig } from '../helpers/rig.ts';
import { mutated, oneOf, seeded, type Random } from './mutate.ts';

/**
 * Mutated HTTP at the proxy, and mutated answers of a worker. Whatever comes: no crash, no hang, no leak, and no request
 * that a worker could read in two ways. The same bytes each time; `SEED=…` for
 * others, `FUZZ_SECONDS=…` for longer.
 */

const SEED = Number(process.env['SEED'] ?? 1);
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 4);
/** Nothing here waits longer; whoever does hangs. */
const HANG_MS = 20_000;
const HELD_BYTES_MAX = 32 * 1024 * 1024;
/** Of connections at a time. */
const BATCH = 16;

const REQUESTS = [
  'GET /dispatch/jobs/a?b HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n',
  'POST /dispatch/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST /dispatch/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
  'POST /dispatch/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 58\r\n\r\nGET /dispatch/jobs/smuggled HTTP/1.1\r\nHost: a\r\nX-In: side\r\n\r\n',
];
const ANSWERS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.0 200 OK\r\n\r\nhello',
];

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function held(): number {
  collect();
  const { external, heapUsed } = process.memoryUsage();
  return external + heapUsed;
}

function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCPSocketWrap/.test(name)).length;
}

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.start({ settings: { LANEWISE_DISPATCH_TIMEOUT: '300ms', LANEWISE_LOG_LEVEL: 'silent' } });
});
afterEach(() => rig[Symbol.asyncDispose]());

/** Batches until the time is up. @returns how many cases */
async function fuzz(seed: number, one: (random: Random) => Promise<void>): Promise<number> {
  const until = performance.now() + SECONDS * 1000;
  let count = 0;
  while (performance.now() < until) {
    // Each has a seed of its own, so that the order in which they run does not matter.
    await Promise.all(Array.from({ length: BATCH }, () => one(seeded(seed + count++))));
  }
  return count;
}

async function expectBaseline(before: { readonly sockets: number; readonly held: number }): Promise<void> {
  await vi.waitUntil(
    async () => [...(await rig.metric('canary_jobs_in_flight')).values()].every((n) => n === 0),
    {
      timeout: HANG_MS,
    },
  );
  // Idle connections to the worker and from this rig's own client are kept for a few seconds.
  await vi.waitUntil(() => sockets() <= before.sockets + 4, { timeout: HANG_MS });
  expect(held() - before.held).toBeLessThan(HELD_BYTES_MAX);
}

it(`mutated requests reach a worker well-formed, or not at all (SEED=${SEED})`, async () => {
  await using worker = await RawWorker.start();
  await rig.register({ url: worker.url });
  await rig.send('jobs', { body: 'warm' });
  const before = { sockets: sockets(), held: held() };

  const count = await fuzz(SEED, async (random) => {
    const bytes = mutated(random, oneOf(random, REQUESTS)) + (random() < 0.3 ? oneOf(random, REQUESTS) : '');
    await using client = await RawClient.connect(rig.dispatchUrl);
    client.write(bytes);
    // What is not whole has no answer.
    await Promise.race([client.until(/HTTP\/1\.1 [2-5]\d\d/), setTimeout(30)]);
    client.socket.end();
    const end = await Promise.race([client.until('closed'), setTimeout(HANG_MS, 'hangs' as const)]);
    expect(end, `seed ${SEED}: ${JSON.stringify(bytes)}`).not.toBe('hangs');
  });

  // Throws on what is not well-formed; and whatever was whole in the middle of a body must not be a request.
  const { requests } = worker;
  expect(count).toBeGreaterThan(BATCH);
  expect(requests.length).toBeGreaterThan(0);
  for (const { headers } of requests) {
    const names = headers.map(([name]) => name.toLowerCase());
    expect(names.filter((name) => name === 'x-canary-lane')).toHaveLength(1);
    expect(names.filter((name) => name === 'x-job-id')).toHaveLength(1);
  }
  expect((await rig.send('jobs', { body: 'still here' })).status).toBe(200);
  await expectBaseline(before);
}, 120_000);

it(`mutated answers make an answer that is well-formed, or a connection that breaks off (SEED=${SEED})`, async () => {
  let random = seeded(SEED);
  await using worker = await RawWorker.start(({ socket, received }, answered) => {
    const { requests } = parseRequests(received());
    for (; answered.count < requests.length; answered.count++) {
      socket.write(mutated(random, oneOf(random, ANSWERS)), 'latin1');
      if (random() < 0.3) socket.end();
      else if (random() < 0.1) socket.resetAndDestroy();
    }
  });
  await rig.register({ url: worker.url });
  const agent = new Agent({ connections: BATCH });
  const before = { sockets: sockets(), held: held() };
  const count = await fuzz(SEED, async (own) => {
    random = own;
    const body = own() < 0.3 ? Buffer.alloc(70_000, 'x') : 'small';
    const ended = request(`${rig.dispatchUrl}/dispatch/jobs`, {
      dispatcher: agent,
      method: 'POST',
      body,
    }).then(
      async (answer) => {
        await answer.body.text();
        return 'answered';
      },
      (error: Error) => error,
    );
    const end = await Promise.race([ended.catch((error: Error) => error), setTimeout(HANG_MS, 'hangs')]);
    expect(end, `seed ${SEED}`).not.toBe('hangs');
    if (end instanceof Error) expect(end.name, `seed ${SEED}: ${end.message}`).not.toBe('HTTPParserError');
  });
  expect(count).toBeGreaterThan(BATCH);
  await agent.destroy();
  await expectBaseline(before);
  await using good = await RawWorker.start();
  await rig.register({ queues: ['good'], url: good.url });
  expect((await rig.send('good', { body: 'still here' })).status).toBe(200);
}, 120_000);
