import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, type Client } from '../../src/client/index.ts';
import { startReceiver, type Receiver } from '../control/webhooks/receiver.ts';
import { useCertificates } from '../helpers/certificates.ts';
import { OtlpReceiver } from '../helpers/otlp-receiver.ts';
import { until } from '../helpers/patience.ts';
import { LanewiseProcess, temporaryDirectory } from '../helpers/process.ts';
import { startRedis, type RedisServer } from '../helpers/redis.ts';
import { TestWorker } from '../helpers/worker.ts';

/**
 * Secrets are planted wherever there may be some, everything that Lanewise can be made to say is collected at the level
 * `trace`, also while things go wrong, and searched for them.
 */

const HOOK_KEY = Buffer.from('planted-key-of-a-webhook').toString('base64');

const PLANTED = {
  token: 'planted-operator-token',
  guess: 'planted-guess-at-a-token',
  redis: 'planted-redis-password',
  webhookKey: HOOK_KEY,
  webhookPath: 'planted-path-of-a-webhook',
  passphrase: 'planted-passphrase',
  otlp: 'planted-otlp-header',
  authorization: 'planted-authorization',
  cookie: 'planted-cookie',
  body: 'planted-body',
  query: 'planted-query',
  answer: 'planted-answer',
} as const;

type Secret = keyof typeof PLANTED;

/** Which are in there, as they are or in the clothes in which they might travel. */
function found(text: string): Secret[] {
  return (Object.keys(PLANTED) as Secret[]).filter((name) => {
    const secret = PLANTED[name];
    const encoded = [
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      Buffer.from(secret).toString('base64url'),
      Buffer.from(secret).toString('hex'),
      encodeURIComponent(secret),
    ];
    return [secret, ...encoded].some((form) => text.includes(form));
  });
}

test('the search finds what it is for', () => {
  for (const [name, secret] of Object.entries(PLANTED)) {
    expect(found(`{"x":"Bearer ${secret}"}`)).toEqual([name]);
    expect(found(Buffer.from(secret).toString('base64'))).toEqual([name]);
  }
  expect(found('nothing')).toEqual([]);
});

const at = useCertificates(PLANTED.passphrase);
const stack = new AsyncDisposableStack();
let redis: RedisServer;
let otlp: OtlpReceiver;
let worker: TestWorker;
let directory: string;
let environment: Record<string, string>;

beforeAll(async () => {
  redis = stack.use(await startRedis({ password: PLANTED.redis }));
  otlp = stack.use(await OtlpReceiver.start());
  worker = stack.use(
    await TestWorker.start('v1', ({ headers }, response) => {
      // One that works, one that fails, one that breaks off.
      if (headers['x-job-id'] === 'broken') response.destroy();
      else response.writeHead(headers['x-job-id'] === 'failed' ? 500 : 200).end(PLANTED.answer);
    }),
  );
  directory = await temporaryDirectory(stack);
  environment = {
    LANEWISE_DATA_DIR: directory,
    LANEWISE_LOG_LEVEL: 'trace',
    LANEWISE_TOKENS: `ops:operator:${PLANTED.token}`,
    LANEWISE_CONTROL_TLS_CERT: at('control.pem'),
    LANEWISE_CONTROL_TLS_KEY: at('encrypted.key'),
    LANEWISE_CONTROL_TLS_KEY_PASSPHRASE: PLANTED.passphrase,
    LANEWISE_QUEUES: JSON.stringify({
      direct: { routing_strategy: 'hash_ring' },
      stored: { routing_strategy: 'split_queue', max_attempts: 1 },
    }),
    REDIS_URL: redis.url.replace('redis://', `redis://:${PLANTED.redis}@`),
    ...otlp.environment,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${PLANTED.otlp}`,
    // So that a test can make it crash.
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
      "process.once('SIGUSR2', () => { throw new Error('a mistake of ours'); });",
    )}`,
  };
});
afterAll(() => stack.disposeAsync());

async function messageOf(call: Promise<unknown>): Promise<string> {
  try {
    return JSON.stringify(await call);
  } catch (error) {
    return (error as Error).message;
  }
}

const HEADERS = {
  authorization: `Bearer ${PLANTED.authorization}`,
  cookie: `session=${PLANTED.cookie}`,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

interface Started {
  readonly lanewise: LanewiseProcess;
  readonly control: string;
  readonly dispatch: string;
  readonly admin: string;
  readonly client: Client;
  readonly receiver: Receiver;
}

async function start(): Promise<Started> {
  const receiver = await startReceiver();
  const lanewise = LanewiseProcess.start(['standalone'], {
    ...environment,
    LANEWISE_WEBHOOKS: JSON.stringify({
      ops: { url: `${receiver.url}/${PLANTED.webhookPath}`, secret: `whsec_${HOOK_KEY}` },
    }),
  });
  stack.use(lanewise);
  await lanewise.printed(/Ctrl-C stops\.\n$/);
  const find = (pattern: RegExp): string => pattern.exec(lanewise.stdout)![1]!;
  const control = find(/API +(https:\S+)\/api\/v1\/canary\n/);
  const tls = { ca: await readFile(at('ca.pem'), 'utf8') };
  return {
    lanewise,
    control,
    dispatch: find(/Dispatch +(http:\S+)\/dispatch\/\{queue\}\n/),
    admin: find(/Admin +(http:\S+) /),
    client: createClient({ url: control, token: PLANTED.token, tls }),
    receiver,
  };
}

test('no secret is in anything that Lanewise says, whether things go well or not', async () => {
  const { lanewise, control, dispatch, admin, client, receiver } = await start();
  const said = new Map<string, string>();
  const say = (what: string, value: unknown): void =>
    void said.set(what, typeof value === 'string' ? value : JSON.stringify(value));

  await client.registerWorker({
    body: { id: 'there', version: 'v1', queues: ['direct', 'stored'], url: worker.url },
  });
  await client.registerWorker({
    body: { id: 'gone', version: 'v1', queues: ['direct'], url: 'http://127.0.0.1:1' },
  });
  const { id } = await client.createDeployment({
    body: { queue_name: 'direct', stable_version: 'v1', canary_version: 'v2', routing_strategy: 'hash_ring' },
  });

  for (const queue of ['direct', 'stored', 'unknown'])
    for (const job of ['fine', 'failed', 'broken']) {
      const answer = await fetch(`${dispatch}/dispatch/${queue}/path?key=${PLANTED.query}`, {
        method: 'POST',
        headers: { ...HEADERS, 'x-job-id': queue === 'direct' ? job : `${queue}-${job}` },
        body: PLANTED.body,
      });
      const text = await answer.text();
      // The worker's own answer is the producer's to see.
      if (answer.headers.has('x-canary-error')) say(`the answer to ${queue} ${job}`, text);
    }
  const bad = { method: 'POST', headers: { ...HEADERS, 'x-canary-lane': 'none' }, body: PLANTED.body };
  say('a refusal of a job', await (await fetch(`${dispatch}/dispatch/direct`, bad)).text());
  await until(() => worker.jobs.filter(({ headers }) => headers['x-canary-queue'] === 'stored').length >= 3);

  const guesser = createClient({
    url: control,
    token: PLANTED.guess,
    tls: { ca: await readFile(at('ca.pem'), 'utf8') },
  });
  say('a refusal of a token', await messageOf(guesser.listWorkers()));
  await client.setPercentage({ id, body: { percentage: 10 } });
  await client.rollBackDeployment({ id, body: { reason: 'a test' } });
  await receiver.came(1);
  await until(() => otlp.spans.length > 0 && otlp.metricExports > 0);

  for (const name of [
    'listDeployments',
    'listWorkers',
    'listQueues',
    'listProfiles',
    'getCredential',
  ] as const)
    say(name, (await client.exchange(name, {})).body);
  for (const name of ['getDeployment', 'listDeploymentEvents', 'getHealth', 'getMetrics'] as const)
    say(name, (await client.exchange(name, { id })).body);
  for (const path of ['/metrics', '/openapi.json', '/healthz', '/readyz'])
    say(`control ${path}`, await (await client.transport.fetch(`${control}${path}`, {})).text());
  for (const path of ['/metrics', '/routes', '/healthz', '/readyz'])
    say(`admin ${path}`, await (await fetch(`${admin}${path}`)).text());
  for (const { path, body } of otlp.exports)
    say(`export to ${path}`, `${said.get(`export to ${path}`) ?? ''}${body.toString()}`);
  for (const { headers, body } of receiver.received) say('a notice', { headers, body });

  // Redis goes, and what is logged about it; then the process crashes.
  await redis.stop();
  await until(() => lanewise.stderr.includes('Redis is not connected'));
  say('an answer without Redis', await messageOf(client.listWorkers()));
  await redis.start();
  lanewise.signal('SIGUSR2');
  const exit = await lanewise.exited;
  expect([exit.code, lanewise.stderr]).toEqual([1, expect.stringContaining('a mistake of ours')]);
  say('stdout', lanewise.stdout);
  say('log and crash', lanewise.stderr);
  say('last good routes', await readFile(join(directory, 'routes.json'), 'utf8'));

  expect([...said].map(([what, text]) => [what, found(text)])).toEqual(
    [...said.keys()].map((what) => [what, []]),
  );
  // Those are there at all.
  expect(said.size).toBeGreaterThan(20);
  expect(said.get('log and crash')).toContain('"level"');
  expect(said.get('last good routes')).toContain('"direct"');
});

test('a worker gets the credentials of the producer, and none of ours', () => {
  const job = worker.jobs.find(({ headers }) => headers['x-job-id'] === 'fine')!;
  expect(job.headers).toMatchObject({ authorization: HEADERS.authorization, cookie: HEADERS.cookie });
  for (const { headers, url, body } of worker.jobs) {
    const passed = found(JSON.stringify([headers, url, body]));
    expect(passed.toSorted()).toEqual(['authorization', 'body', 'cookie', 'query']);
  }
});

describe('a start that fails', () => {
  test.each<[string, () => Record<string, string>]>([
    [
      'a wrong password of Redis',
      () => ({ REDIS_URL: redis.url.replace('redis://', `redis://:${PLANTED.guess}@`) }),
    ],
    ['a bad Redis URL', () => ({ REDIS_URL: `redis://:${PLANTED.redis}@127.0.0.1:99999` })],
    [
      'tokens that are not well-formed',
      () => ({ LANEWISE_TOKENS: `ops:king:${PLANTED.token},${PLANTED.guess}` }),
    ],
    ['a wrong passphrase', () => ({ LANEWISE_CONTROL_TLS_KEY_PASSPHRASE: PLANTED.guess })],
    [
      'a bad secret of a webhook',
      () => ({
        LANEWISE_WEBHOOKS: `{"ops":{"url":"http://127.0.0.1/${PLANTED.webhookPath}","secret":"${PLANTED.guess}"}}`,
      }),
    ],
    [
      'a bad URL of a webhook',
      () => ({
        LANEWISE_WEBHOOKS: `{"ops":{"url":"ftp://${PLANTED.webhookPath}","secret":"whsec_${HOOK_KEY}"}}`,
      }),
    ],
  ])('by %s does not quote it', async (_what, more) => {
    await using lanewise = LanewiseProcess.start(['control'], { ...environment, ...more() });
    expect((await lanewise.exited).code).toBe(1);
    expect(lanewise.stderr).toContain('lanewise: ');
    expect(found(lanewise.stdout + lanewise.stderr)).toEqual([]);
  });
});
