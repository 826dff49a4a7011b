import { copyFile, readFile, rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, createProducer, followEvents, registerWorker } from '../../src/client/index.ts';
import { CliSession } from '../cli/session.ts';
import { ROOT } from '../docs/pages.ts';
import { useCertificates } from '../helpers/certificates.ts';
import { until } from '../helpers/patience.ts';
import { LanewiseProcess, temporaryDirectory } from '../helpers/process.ts';
import { TestWorker } from '../helpers/worker.ts';

/** Every listener over TLS, and only for those who show a certificate. */

const at = useCertificates();
const stack = new AsyncDisposableStack();
let directory: string;
let lanewise: LanewiseProcess;
let [control, dispatch, admin, token] = ['', '', '', ''];
let worker: TestWorker;
let tls: { ca: string; cert: string; key: string };

const read = (name: string): Promise<string> => readFile(at(name), 'utf8');

/** Where the process reads its certificate, to be replaced by tests. */
const own = (name: string): string => join(directory, name);

/** As a tool that renews certificates would: each file whole, the key a moment after the certificate. */
async function install(name: string): Promise<void> {
  for (const kind of ['pem', 'key']) {
    await copyFile(at(`${name}.${kind}`), own(`next.${kind}`));
    await rename(own(`next.${kind}`), own(`own.${kind}`));
  }
}

beforeAll(async () => {
  directory = await temporaryDirectory(stack);
  await install('control');
  const listener = (name: string) => ({
    [`LANEWISE_${name}_TLS_CERT`]: own('own.pem'),
    [`LANEWISE_${name}_TLS_KEY`]: own('own.key'),
    [`LANEWISE_${name}_TLS_CLIENT_CA`]: at('ca.pem'),
  });
  lanewise = stack.use(
    LanewiseProcess.start(['standalone'], {
      LANEWISE_DATA_DIR: directory,
      LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring',
      ...listener('CONTROL'),
      ...listener('PROXY'),
      ...listener('ADMIN'),
    }),
  );
  await lanewise.printed(/Ctrl-C stops\.\n$/);
  const find = (pattern: RegExp): string => pattern.exec(lanewise.stdout)![1]!;
  control = find(/API +(https:\S+)\/api\/v1\/canary\n/);
  dispatch = find(/Dispatch +(https:\S+)\/dispatch\/\{queue\}\n/);
  admin = find(/Admin +(https:\S+) /);
  token = find(/Token +(\S+) +\(kept in/);
  tls = { ca: await read('ca.pem'), cert: await read('operator.pem'), key: await read('operator.key') };
  worker = stack.use(await TestWorker.start('v1'));
});
afterAll(() => stack.disposeAsync());

/** A connection that stands, after the server had its say: in TLS 1.3 it refuses certificates after the handshake. */
async function open(url: string, options: object): Promise<TLSSocket> {
  const { hostname, port } = new URL(url);
  const socket = connectTls({ host: hostname, port: Number(port), ca: tls.ca, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

async function ask(socket: TLSSocket, path: string): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: lanewise\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString('latin1');
}

const LISTENERS = ['control', 'dispatch', 'admin'] as const;
const urlOf = (listener: (typeof LISTENERS)[number]): string => ({ control, dispatch, admin })[listener];

test('the banner leads to all of it over https', () => {
  expect(lanewise.stdout).toContain(`API docs   ${control}/docs\n`);
});

test('jobs, calls and events go their ways as they do without', async () => {
  const client = createClient({ url: control, token, tls });
  const registration = await registerWorker({
    url: control,
    token,
    tls,
    worker: { id: 'w1', version: 'v1', queues: ['jobs'], url: worker.url },
  });
  const { id } = await client.createDeployment({
    body: { queue_name: 'jobs', stable_version: 'v1', canary_version: 'v2', routing_strategy: 'hash_ring' },
  });
  const frames = followEvents(client, id);
  const first = frames.next();
  expect(await client.setPercentage({ id, body: { percentage: 10 } })).toMatchObject({
    routing: { proxies: 1, applied: 1 },
  });
  // Whichever comes first: the stream is open, over wss.
  expect((await first).value).toMatchObject({ deployment_id: id });
  await frames.return();

  const producer = createProducer({ url: dispatch, tls });
  const answer = await producer.dispatch('jobs', 'x'.repeat(100_000));
  expect([answer.status, await answer.response.text()]).toEqual([200, 'v1']);
  const { headers, body } = worker.jobs.at(-1)!;
  expect(headers['x-forwarded-proto']).toBe('https');
  expect(headers.forwarded).toMatch(/;proto=https$/);
  expect(body).toHaveLength(100_000);
  await registration.close();
});

test.each([
  ['control', '/healthz'],
  ['control', '/readyz'],
  ['admin', '/healthz'],
  ['admin', '/readyz'],
  ['admin', '/metrics'],
] as const)('%s answers %s without a token', async (listener, path) => {
  const socket = await open(urlOf(listener), tls);
  expect(await ask(socket, path)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  socket.destroy();
});

describe.each(LISTENERS)('the %s listener', (listener) => {
  /** @returns what is answered until the connection ends; how it ends is the system's business */
  async function answerTo(socket: TLSSocket): Promise<string> {
    const received: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => received.push(bytes));
    socket.on('error', () => {});
    socket.write('GET /healthz HTTP/1.1\r\nHost: lanewise\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    return Buffer.concat(received).toString('latin1');
  }

  test('refuses who shows no certificate', async () => {
    const { hostname, port } = new URL(urlOf(listener));
    expect(await answerTo(connectTls({ host: hostname, port: Number(port), ca: tls.ca }))).toBe('');
  });

  test('refuses a certificate of another CA', async () => {
    const { hostname, port } = new URL(urlOf(listener));
    const stranger = { cert: await read('stranger.pem'), key: await read('stranger.key') };
    expect(await answerTo(connectTls({ host: hostname, port: Number(port), ca: tls.ca, ...stranger }))).toBe(
      '',
    );
  });

  test('speaks no TLS before 1.2', async () => {
    const { hostname, port } = new URL(urlOf(listener));
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    expect(await answerTo(connectTls({ host: hostname, port: Number(port), ...tls, ...old }))).toBe('');
  });

  test('speaks 1.2 and 1.3', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await open(urlOf(listener), { ...tls, minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
  });

  test('answers nothing in plain HTTP', async () => {
    const { hostname, port } = new URL(urlOf(listener));
    const socket = connect(Number(port), hostname);
    let received = '';
    // An alert of TLS, perhaps.
    socket.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')));
    socket.on('error', () => {});
    socket.write('GET /healthz HTTP/1.1\r\nHost: lanewise\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(received).not.toContain('HTTP');
  });
});

describe('the command line', () => {
  async function run(args: readonly string[], more: Record<string, string> = {}) {
    const command = [process.execPath, join(ROOT, 'src/cli/main.ts'), ...args] as [string, ...string[]];
    return new CliSession(command, {
      PATH: process.env['PATH']!,
      LANEWISE_URL: control,
      LANEWISE_TOKEN: token,
      ...more,
    }).ended;
  }

  test('asks a control plane that wants a certificate, by options and by variables', async () => {
    const options = ['--ca', at('ca.pem'), '--cert', at('operator.pem'), '--key', at('operator.key')];
    const variables = {
      LANEWISE_CA: at('ca.pem'),
      LANEWISE_CERT: at('operator.pem'),
      LANEWISE_KEY: at('operator.key'),
    };
    const [byOptions, byVariables] = await Promise.all([
      run(['deployments', 'list', ...options]),
      run(['deployments', 'list'], variables),
    ]);
    for (const ended of [byOptions, byVariables])
      expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/canary_.* jobs /) });
  });

  test('does not speak to one whose certificate it can not verify', async () => {
    const other = { LANEWISE_CA: at('stranger-ca.pem') };
    expect(await run(['deployments', 'list'], other)).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/Cannot reach the control plane at https:.*certificate/),
    });
  });

  test('says which file it can not use', async () => {
    expect(await run(['deployments', 'list', '--ca', '/nowhere.pem'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--ca: cannot read /nowhere.pem'),
    });
    expect(await run(['deployments', 'list', '--cert', at('operator.pem')])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--cert and --key'),
    });
  });
});

/** Setting → Unix seconds until which its certificates are good, of the whole process. */
async function goodUntil(): Promise<Record<string, number>> {
  const agent = new Agent({ connect: tls });
  const { body } = await request(`${control}/metrics`, { dispatcher: agent });
  const text = await body.text();
  await agent.close();
  const samples = text.matchAll(
    /^lanewise_tls_certificate_expiry_timestamp_seconds\{setting="(.*)"\} (\S+)$/gm,
  );
  return Object.fromEntries([...samples].map(([, setting, value]) => [setting!, Number(value)]));
}

describe('new certificates', () => {
  async function shownBy(url: string): Promise<string> {
    const socket = await open(url, tls);
    const name = socket.getPeerCertificate().subject.CN;
    socket.destroy();
    return String(name);
  }
  const isShown = (name: string) =>
    until(async () => {
      const names = await Promise.all(LISTENERS.map((listener) => shownBy(urlOf(listener))));
      return names.every((shown) => shown === name);
    });

  test('are told of when they end soon, and /metrics has until when they are good', async () => {
    const end = async (name: string) => new X509Certificate(await read(name)).validToDate.getTime() / 1000;
    const ofListener = async (name: string) => [
      [`${name}.tls.cert`, await end('control.pem')],
      [`${name}.tls.client_ca`, await end('ca.pem')],
    ];
    const expected = (await Promise.all(['control', 'proxy', 'admin'].map(ofListener))).flat();
    expect(await goodUntil()).toEqual(Object.fromEntries(expected));
    for (const [setting] of expected)
      expect(lanewise.stderr).toContain(`${setting}: the certificate expires in less than 14 days`);
    await install('brief');
    await until(async () => (await goodUntil())['admin.tls.cert'] === (await end('brief.pem')));
    await install('control');
    await isShown('control');
  });

  test('are shown once their files have changed, and connections that stand go on', async () => {
    const standing = await Promise.all(LISTENERS.map((listener) => open(urlOf(listener), tls)));
    await install('renewed');
    await isShown('renewed');
    for (const socket of standing) {
      expect(await ask(socket, '/healthz')).toMatch(/^HTTP\/1\.1 /);
      socket.destroy();
    }
  });

  test('that can not be used are left alone, and it is said why', async () => {
    const before = lanewise.stderr.length;
    await writeFile(own('own.key'), 'not a key');
    await until(
      () => (lanewise.stderr.slice(before).match(/not reloaded/g)?.length ?? 0) === LISTENERS.length,
    );
    const said = lanewise.stderr.slice(before);
    expect(said).toContain('control.tls.key: there is no PEM private key in');
    expect(said).toContain('stays in use');
    await isShown('renewed');
    await install('control');
    await isShown('control');
  });

  test('are read at SIGHUP, too', async () => {
    const before = lanewise.stderr.length;
    lanewise.signal('SIGHUP');
    await until(() => (lanewise.stderr.slice(before).match(/reloaded from its files/g)?.length ?? 0) >= 3);
    await isShown('control');
  });
});
