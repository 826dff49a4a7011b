import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useCertificates } from '../helpers/certificates.ts';
import { LanewiseProcess, temporaryDirectory, type Environment } from '../helpers/process.ts';
import { freePort } from '../helpers/ports.ts';
import { startRedis, type RedisServer } from '../helpers/redis.ts';
import { Standalone } from '../helpers/system.ts';

/**
 * What an operator sees when a start fails: exit code 1, one message that names what is wrong and what is allowed, no
 * stack, no banner; and nothing half done, so that the next start, with the mistake mended, is as good as a first one.
 */

interface Failure {
  /** What stderr says besides the log. */
  readonly message: string;
}

async function failing(args: readonly string[], environment: Environment): Promise<Failure> {
  await using process = LanewiseProcess.start(args, environment);
  expect(await process.exited).toEqual({ code: 1, signal: null });
  expect(process.stdout).toBe('');
  const message = process.stderr
    .split('\n')
    .filter((line) => !line.startsWith('{"level"'))
    .join('\n')
    .trim();
  expect(message).toMatch(/^lanewise: /);
  expect(message).not.toMatch(/^ +at /m);
  expect(message.match(/lanewise: /g)).toHaveLength(1);
  return { message };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

const stack = new AsyncDisposableStack();
let directory: string;
let redis: RedisServer;
let guarded: RedisServer;
let directories = 0;

beforeAll(async () => {
  directory = await temporaryDirectory(stack);
  redis = stack.use(await startRedis());
  guarded = stack.use(await startRedis({ password: 'right-secret' }));
});

afterAll(() => stack.disposeAsync());

/** A data directory that is not there yet. */
function newDataDir(): string {
  return join(directory, `data-${++directories}`);
}

/** The same start without the mistake. */
async function startsOn(dataDir: string): Promise<void> {
  await using process = LanewiseProcess.start(['standalone'], { LANEWISE_DATA_DIR: dataDir });
  await process.printed(/Ctrl-C stops\./);
  expect(await process.end('SIGTERM')).toEqual({ code: 0, signal: null });
}

describe('a port that is taken', () => {
  let other: Server;
  let port: number;

  beforeAll(async () => {
    other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    port = (other.address() as AddressInfo).port;
    stack.defer(() => void other.close());
  });

  test.each(['CONTROL', 'PROXY', 'ADMIN'])('LANEWISE_%s_PORT is named', async (listener) => {
    const dataDir = newDataDir();
    const { message } = await failing(['standalone'], {
      LANEWISE_DATA_DIR: dataDir,
      [`LANEWISE_${listener}_PORT`]: String(port),
    });
    expect(message).toBe(
      `lanewise: Cannot listen on 127.0.0.1:${port}: another process listens there already. ` +
        `Set LANEWISE_${listener}_HOST and LANEWISE_${listener}_PORT.`,
    );
    await startsOn(dataDir);
  });

  test.each([
    ['control', 'CONTROL'],
    ['proxy', 'PROXY'],
    ['proxy', 'ADMIN'],
  ])('with "lanewise %s" too: LANEWISE_%s_PORT', async (command, listener) => {
    const { message } = await failing([command], {
      REDIS_URL: redis.url,
      LANEWISE_DATA_DIR: newDataDir(),
      [`LANEWISE_${listener}_PORT`]: String(port),
    });
    expect(message).toContain(`Cannot listen on 127.0.0.1:${port}: another process listens there already`);
    expect(message).toContain(`LANEWISE_${listener}_PORT`);
  });

  test('an address that is not of this machine is named as such', async () => {
    const { message } = await failing(['standalone'], {
      LANEWISE_DATA_DIR: newDataDir(),
      LANEWISE_PROXY_HOST: '192.0.2.1',
    });
    expect(message).toContain('Cannot listen on 192.0.2.1:0: this machine has no such address');
  });
});

describe('a data directory that cannot be used', () => {
  test.each([
    ['is a file', 'file'],
    ['lies below a file', 'file/data'],
  ])('because it %s', async (_why, name) => {
    await writeFile(join(directory, 'file'), 'mine');
    const dataDir = join(directory, name);
    const { message } = await failing(['standalone'], { LANEWISE_DATA_DIR: dataDir });
    expect(message).toContain(`the data directory ${dataDir} can't be used (`);
    expect(message).toContain('LANEWISE_DATA_DIR');
  });

  // Nobody may make anything there, not even root.
  test.each(['standalone', 'control'])(
    '"lanewise %s", because nothing can be made there',
    async (command) => {
      const { message } = await failing([command], {
        LANEWISE_DATA_DIR: '/proc/lanewise',
        ...(command === 'control' && { REDIS_URL: redis.url }),
      });
      expect(message).toContain('/proc/lanewise');
      expect(message).toContain('LANEWISE_DATA_DIR');
    },
  );

  test('a proxy does without: it says so in its log, serves, and stops when it is told to', async () => {
    await using process = LanewiseProcess.start(['proxy'], {
      REDIS_URL: redis.url,
      LANEWISE_DATA_DIR: '/proc/lanewise',
    });
    const [, admin] = await process.printed(/admin on (http:\S+)/);
    await process.printed(/last good routes could not be saved/, 'stderr');
    expect((await fetch(`${admin}/readyz`)).status).toBe(200);
    expect(await process.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  test('because another process has it', async () => {
    await using system = await Standalone.start();
    const { message } = await failing(['standalone'], { LANEWISE_DATA_DIR: system.dataDir });
    expect(message).toContain(
      `the data directory ${system.dataDir} is in use by another Lanewise process: only one may run on it`,
    );
    expect((await system.api.call('GET', '/deployments')).status).toBe(200);
    expect(await system.proxy.readiness()).toBe(200);
  });

  test('because what lies in it is not a store', async () => {
    const dataDir = newDataDir();
    await mkdir(dataDir);
    await writeFile(join(dataDir, 'lanewise.db'), 'These are the notes of somebody else.'.repeat(100));
    const { message } = await failing(['standalone'], { LANEWISE_DATA_DIR: dataDir });
    expect(message).toContain('lanewise.db is not a Lanewise store');
    expect(await readdir(dataDir)).toEqual(['lanewise.db']);
  });
});

describe('Redis', () => {
  test.each([
    ['no password', () => guarded.url],
    ['a wrong password', () => guarded.url.replace('://', '://:wrong-secret@')],
  ])('that refuses %s ends the control plane, and the message quotes no secret', async (_what, urlOf) => {
    const dataDir = newDataDir();
    const { message } = await failing(['control'], { REDIS_URL: urlOf(), LANEWISE_DATA_DIR: dataDir });
    expect(message).toContain('refused the password');
    expect(message).toContain('REDIS_URL');
    expect(message).not.toContain('secret');
    expect(await exists(dataDir)).toBe(false);
  });

  test('that is not there ends the control plane', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`;
    const dataDir = newDataDir();
    const { message } = await failing(['control'], { REDIS_URL: url, LANEWISE_DATA_DIR: dataDir });
    expect(message).toBe(
      `lanewise: Redis at ${url} can't be reached: connect ECONNREFUSED ${url.replace('redis://', '')}`,
    );
    expect(await exists(dataDir)).toBe(false);
  });

  test('that refuses the password does not end a proxy, which waits and says why', async () => {
    await using process = LanewiseProcess.start(['proxy'], {
      REDIS_URL: guarded.url.replace('://', '://:wrong-secret@'),
      LANEWISE_DATA_DIR: newDataDir(),
    });
    const [, admin] = await process.printed(/admin on (http:\S+)/);
    await process.printed(/refused the password/, 'stderr');
    expect((await fetch(`${admin}/readyz`)).status).toBe(503);
    expect(process.stderr).not.toContain('secret');
    expect(await process.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  const MALFORMED = [
    ['standalone', 'somewhere', 'is not a URL'],
    ['control', 'http://127.0.0.1:6379', 'has the unknown scheme "http"'],
    ['proxy', 'redis://:hidden-secret@127.0.0.1:99999', 'has the bad port 99999'],
    ['control', 'redis+sentinel://127.0.0.1:26379', "lacks the master's name"],
  ] as const;

  test.each(MALFORMED)(
    'at a malformed URL: "lanewise %s" with %s, which %s',
    async (command, url, problem) => {
      const { message } = await failing([command], { REDIS_URL: url, LANEWISE_DATA_DIR: newDataDir() });
      expect(message).toContain(problem);
      expect(message).toContain('it must be redis://host:6379/0');
      expect(message).not.toContain('hidden-secret');
    },
  );

  test.each(['control', 'proxy'])('that nobody named: "lanewise %s" needs one', async (command) => {
    const { message } = await failing([command], { LANEWISE_DATA_DIR: newDataDir() });
    expect(message).toContain('REDIS_URL is not set');
    expect(message).toContain('lanewise standalone');
  });
});

describe('credentials', () => {
  test('that are missing where others can reach the control plane', async () => {
    const dataDir = newDataDir();
    const { message } = await failing(['control'], {
      REDIS_URL: redis.url,
      LANEWISE_CONTROL_HOST: '0.0.0.0',
      LANEWISE_DATA_DIR: dataDir,
    });
    expect(message).toContain('LANEWISE_CONTROL_HOST is 0.0.0.0');
    expect(message).toContain('LANEWISE_TOKENS to name:role:secret[:tenant]');
    expect(await exists(join(dataDir, 'token'))).toBe(false);
  });

  test('that are not well-formed: all of it is told, and no secret', async () => {
    const dataDir = newDataDir();
    const { message } = await failing(['standalone'], {
      LANEWISE_TOKENS: 'ops:admin,root:king:hush-secret,a b:viewer:other-secret',
      LANEWISE_DATA_DIR: dataDir,
    });
    expect(message).toContain('LANEWISE_TOKENS is not name:role:secret[:tenant]');
    expect(message.split('\n').slice(1)).toEqual([
      expect.stringContaining('entry 1'),
      expect.stringContaining('the role must be one of viewer, operator, worker, admin'),
      expect.stringContaining('the name must be'),
    ]);
    expect(message).not.toMatch(/hush-secret|other-secret/);
    expect(await exists(join(dataDir, 'token'))).toBe(false);
    await startsOn(dataDir);
  });
});

test('a worker of its own that the proxy would not connect to', async () => {
  const { message } = await failing(
    ['proxy', '--worker', 'http://169.254.169.254', '--version', 'v1', '--queues', 'jobs'],
    { REDIS_URL: redis.url, LANEWISE_DATA_DIR: newDataDir() },
  );
  expect(message).toContain(
    '--worker: http://169.254.169.254 points to 169.254.169.254, which no worker may have',
  );
});

describe('configuration', () => {
  test('that names a file which is not there', async () => {
    const file = join(directory, 'missing.yaml');
    const dataDir = newDataDir();
    const { message } = await failing(['standalone', '--config', file], { LANEWISE_DATA_DIR: dataDir });
    expect(message).toContain(`Cannot read the configuration ${file}: ENOENT`);
    expect(await exists(dataDir)).toBe(false);
  });

  test('with several mistakes: each is named as the operator wrote it, all at once', async () => {
    const file = join(directory, 'lanewise.yaml');
    await writeFile(file, 'proxi:\n  port: 1\ncontrol:\n  port: many\n');
    const dataDir = newDataDir();
    const { message } = await failing(['standalone', '--config', file], {
      LANEWISE_CONTROL_PORT: '',
      LANEWISE_DATA_DIR: dataDir,
      LANEWISE_DISPATCH_TIMEOUT: 'soon',
      LANEWISE_ADMIN_PORT: '70000',
    });
    expect(message).toContain('The configuration has 4 problems:');
    expect(message).toContain('proxi: is not a key of the configuration');
    expect(message).toContain('control.port: must be a whole number from 0 to 65535');
    expect(message).toContain('LANEWISE_ADMIN_PORT: must be a whole number from 0 to 65535');
    expect(message).toMatch(/LANEWISE_DISPATCH_TIMEOUT: must be a duration such as 500ms/);
    expect(await exists(dataDir)).toBe(false);
  });

  test('that is not YAML', async () => {
    const file = join(directory, 'broken.yaml');
    await writeFile(file, 'proxy: [1, 2\n');
    const { message } = await failing(['proxy', '-c', file], { LANEWISE_DATA_DIR: newDataDir() });
    expect(message).toContain(file);
  });

  test('with a range for workers that is none', async () => {
    const dataDir = newDataDir();
    const { message } = await failing(['standalone'], {
      LANEWISE_WORKER_URL_ALLOW: '10.0.0.0/8,everywhere',
      LANEWISE_DATA_DIR: dataDir,
    });
    expect(message).toContain('LANEWISE_WORKER_URL_ALLOW');
    expect(message).toContain('everywhere');
    await startsOn(dataDir);
  });

  test('a variable that this release does not know is only warned of: another release may', async () => {
    await using process = LanewiseProcess.start(['standalone'], {
      LANEWISE_DATA_DIR: newDataDir(),
      LANEWISE_TURBO: 'yes',
    });
    await process.printed(/Ctrl-C stops\./);
    expect(process.stderr).toContain('LANEWISE_TURBO');
  });
});

describe('certificates', () => {
  const at = useCertificates();

  test.each([
    [
      'control',
      'a key of another certificate',
      { cert: 'control.pem', key: 'worker.key' },
      'control.tls.key: the key in',
    ],
    [
      'admin',
      'no certificate',
      { cert: 'control.key', key: 'control.key' },
      'admin.tls.cert: there is no PEM certificate in',
    ],
    [
      'proxy',
      'a file that is not there',
      { cert: 'none.pem', key: 'control.key' },
      'proxy.tls.cert: cannot read',
    ],
  ] as const)('of the listener %s with %s', async (listener, _what, files, problem) => {
    const dataDir = newDataDir();
    const name = `LANEWISE_${listener.toUpperCase()}_TLS`;
    const { message } = await failing(['standalone'], {
      [`${name}_CERT`]: at(files.cert),
      [`${name}_KEY`]: at(files.key),
      LANEWISE_DATA_DIR: dataDir,
    });
    expect(message).toContain(problem);
    expect(message).toContain(at(files.cert));
    expect(message.split('\n')).toHaveLength(1);
    await startsOn(dataDir);
  });

  test('that no listener or connection would use', async () => {
    const { message } = await failing(['standalone'], {
      LANEWISE_CONTROL_TLS_CLIENT_CA: at('ca.pem'),
      LANEWISE_PROXY_TLS_CERT: at('control.pem'),
      LANEWISE_REDIS_TLS_KEY_PASSPHRASE: 'hush-secret',
      LANEWISE_DATA_DIR: newDataDir(),
    });
    expect(message.split('\n').slice(1)).toEqual([
      '  redis_tls.key: is missing, and goes with key_passphrase',
      '  control.tls.cert: is missing, and goes with client_ca',
      '  proxy.tls.key: is missing, and goes with cert',
    ]);
  });

  test('for a Redis that is spoken to in plain', async () => {
    const { message } = await failing(['control'], {
      REDIS_URL: redis.url,
      LANEWISE_REDIS_TLS_CA: at('ca.pem'),
      LANEWISE_DATA_DIR: newDataDir(),
    });
    expect(message).toContain('redis_tls is set, but REDIS_URL does not ask for TLS');
  });
});
