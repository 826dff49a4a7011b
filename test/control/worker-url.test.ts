import { describe, expect, test } from 'vitest';
import { URL_ALLOW_DEFAULT } from '../../config/schema.ts';
import { createWorkerUrlCheck } from '../../control/worker-url.ts';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  'worker.internal': ['10.1.2.3', 'fd12::7'],
  'both.example': ['10.1.2.3', '93.184.216.34'],
  'rebound.example': ['169.254.169.254'],
  'mapped.example': ['::ffff:8.8.8.8'],
  'zone.internal': ['fe80::1%eth0'],
};

const resolve = async (host: string): Promise<readonly string[]> => {
  const addresses = NAMES[host];
  if (addresses === undefined) throw new Error(`ENOTFOUND ${host}`);
  return addresses;
};

const check = createWorkerUrlCheck(URL_ALLOW_DEFAULT, resolve);

describe('a worker may live at', () => {
  test.each([
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
    ['http://127.0.0.1:3000/', 'http://127.0.0.1:3000'],
    ['https://192.168.1.7/jobs/', 'https://192.168.1.7/jobs'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    ['http://[fd12:3456::1]', 'http://[fd12:3456::1]'],
    ['http://worker.internal:80', 'http://worker.internal'],
    // The same address in other clothes is judged, and kept, as what it is.
    ['http://2130706433:3000', 'http://127.0.0.1:3000'],
    ['http://0x7f.1/', 'http://127.0.0.1'],
    ['http://0177.0.0.1', 'http://127.0.0.1'],
    ['http://[::ffff:10.0.0.1]', 'http://[::ffff:a00:1]'],
  ])('%s', async (text, url) => {
    expect(await check(text)).toEqual({ kind: 'accepted', url });
  });
});

describe('a worker may not live at', () => {
  test.each([
    ['http://169.254.169.254/latest/meta-data', '169.254.169.254'],
    ['http://2852039166/', '169.254.169.254'],
    ['http://0xa9fea9fe', '169.254.169.254'],
    ['http://0251.0376.0251.0376', '169.254.169.254'],
    ['http://[::ffff:169.254.169.254]', '169.254.169.254'],
    ['http://[::ffff:a9fe:a9fe]', '169.254.169.254'],
    ['http://[fe80::1]', 'fe80::1'],
    ['http://[fd00:ec2::254]', 'fd00:ec2::254'],
    ['http://8.8.8.8', '8.8.8.8'],
    ['http://[2001:db8::1]', '2001:db8::1'],
    ['http://0.0.0.0:3000', '0.0.0.0'],
    ['http://0/', '0.0.0.0'],
    ['http://[::]:3000', 'points to ::'],
    ['http://172.32.0.1', '172.32.0.1'],
    ['http://both.example', '93.184.216.34'],
    ['http://rebound.example', '169.254.169.254'],
    ['http://mapped.example', '8.8.8.8'],
    ['http://zone.internal', 'fe80::1'],
    ['http://nowhere.example', 'could not be resolved'],
    ['ftp://127.0.0.1', 'http:// or https://'],
    ['javascript:alert(1)', 'http:// or https://'],
    ['127.0.0.1:3000', 'http:// or https://'],
    ['http://', 'http:// or https://'],
    ['', 'http:// or https://'],
    [`http://127.0.0.1/${'x'.repeat(2048)}`, 'http:// or https://'],
    ['http://127.0.0.1/?next=1', 'without ? and #'],
    ['http://127.0.0.1/#x', 'without ? and #'],
  ])('%.60s', async (text, problem) => {
    expect(await check(text)).toEqual({
      kind: 'refused',
      problem: expect.stringContaining(problem) as string,
    });
  });
});

test('a password in a url is refused and not repeated', async () => {
  const verdict = await check('http://user:hunter2@127.0.0.1/');
  expect(verdict).toMatchObject({ kind: 'refused' });
  expect(JSON.stringify(verdict)).not.toContain('hunter2');
});

test('the configuration decides what is allowed, but never opens the metadata service', async () => {
  const everywhere = createWorkerUrlCheck(['0.0.0.0/0', '::/0'], resolve);
  expect(await everywhere('http://8.8.8.8')).toMatchObject({ kind: 'accepted' });
  expect(await everywhere('http://169.254.169.254')).toMatchObject({ kind: 'refused' });
  const single = createWorkerUrlCheck(['203.0.113.7'], resolve);
  expect(await single('http://203.0.113.7')).toMatchObject({ kind: 'accepted' });
  expect(await single('http://127.0.0.1')).toMatchObject({
    kind: 'refused',
    problem: expect.stringContaining('LANEWISE_WORKER_URL_ALLOW') as string,
  });
});

describe('a Unix socket', () => {
  const sockets = createWorkerUrlCheck([...URL_ALLOW_DEFAULT, 'unix:/run/workers/'], resolve);

  test('is refused unless its directory is allowed', async () => {
    expect(await check('unix:/run/workers/a.sock')).toEqual({
      kind: 'refused',
      problem:
        'is the Unix socket /run/workers/a.sock; none is allowed (LANEWISE_WORKER_URL_ALLOW, as in unix:/run/workers/)',
    });
    expect(await sockets('unix:/run/workers/a.sock')).toEqual({
      kind: 'accepted',
      url: 'unix:/run/workers/a.sock',
    });
    expect(await sockets('unix:/run/workers/deeper/a.sock')).toMatchObject({ kind: 'accepted' });
  });

  test.each([
    'unix:/run/docker.sock',
    'unix:/run/workers',
    'unix:/run/workers/',
    'unix:/run/workers-of-others/a.sock',
    'unix:/run/workers/../docker.sock',
    'unix:/run/workers/./a.sock',
    'unix:/run/workers//a.sock',
    'unix:run/workers/a.sock',
    'unix:///run/workers/a.sock',
    'unix:',
    `unix:/run/workers/${'x'.repeat(100)}`,
  ])('is refused at %.60s', async (url) => {
    expect(await sockets(url)).toMatchObject({ kind: 'refused' });
  });
});

test('every range that is not one is named', () => {
  expect(() => createWorkerUrlCheck(['10.0.0.0/8', '10.0.0.0/33', 'intranet', '::1/x', ''], resolve)).toThrow(
    '"10.0.0.0/33", "intranet", "::1/x", "" must be',
  );
});
