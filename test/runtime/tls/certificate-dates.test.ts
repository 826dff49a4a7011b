import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { startFileWatch } from '../../../src/runtime/file-watch.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { CertificateDates } from '../../../src/runtime/tls/certificate-dates.ts';
import { openClientTls } from '../../../src/runtime/tls/client-tls.ts';
import { openServerTls } from '../../../src/runtime/tls/server-tls.ts';
import { useCertificates } from '../../helpers/certificates.ts';
import { until } from '../../helpers/patience.ts';

const at = useCertificates();

const DAY = 24 * 3_600_000;
const NAME = 'lanewise_tls_certificate_expiry_timestamp_seconds';

const read = (name: string): string => readFileSync(at(name), 'utf8');

/** Milliseconds since the epoch. */
const endOf = (name: string): number => new X509Certificate(read(name)).validToDate.getTime();

let now: number;
let lines: { level: number; msg: string; setting: string; until: string }[];
let certificates: CertificateDates;
let registry: Registry;

beforeEach(() => {
  now = 0;
  lines = [];
  registry = new Registry();
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  certificates = new CertificateDates(createLog('info', destination), { now: () => now });
  certificates.addMetric(registry);
});

/** Setting → Unix seconds, as `/metrics` has it. */
async function shown(): Promise<Record<string, number>> {
  const samples = (await registry.metrics()).matchAll(new RegExp(`^${NAME}{setting="(.*)"} (\\S+)$`, 'gm'));
  return Object.fromEntries([...samples].map(([, setting, value]) => [setting!, Number(value)]));
}

describe('until when certificates are good', () => {
  it('is shown for each setting of listeners and of what connects', async () => {
    const pair = { cert: at('control.pem'), key: at('control.key') };
    openServerTls('control.tls', { ...pair, client_ca: at('ca.pem') }, { certificates });
    openServerTls('admin.tls', {}, { certificates });
    openClientTls('proxy.worker_tls', { ca: at('stranger-ca.pem') }, { certificates });
    openClientTls('redis_tls', { cert: at('brief.pem'), key: at('brief.key') }, { certificates });
    expect(await shown()).toEqual({
      'control.tls.cert': endOf('control.pem') / 1000,
      'control.tls.client_ca': endOf('ca.pem') / 1000,
      'proxy.worker_tls.ca': endOf('stranger-ca.pem') / 1000,
      'redis_tls.cert': endOf('brief.pem') / 1000,
    });
    expect(lines).toEqual([]);
  });

  it('is the end of the first of a chain, and of the last of several CAs', async () => {
    expect(endOf('brief.pem')).toBeLessThan(endOf('control.pem'));
    const [chain, cas] = [at('chain.pem'), at('cas.pem')];
    writeFileSync(chain, read('control.pem') + read('brief.pem'));
    writeFileSync(cas, read('control.pem') + read('brief.pem'));
    openServerTls('proxy.tls', { cert: chain, key: at('control.key'), client_ca: cas }, { certificates });
    expect(await shown()).toEqual({
      'proxy.tls.cert': endOf('brief.pem') / 1000,
      'proxy.tls.client_ca': endOf('control.pem') / 1000,
    });
  });

  it('changes with the files, and stays where they can not be used', async () => {
    const files = { cert: at('own.pem'), key: at('own.key') };
    const install = (name: string): void => {
      writeFileSync(files.key, read(`${name}.key`));
      writeFileSync(files.cert, read(`${name}.pem`));
    };
    install('brief');
    const watch = startFileWatch(createLog('silent'), 5);
    onTestFinished(() => watch.close());
    openServerTls('control.tls', files, { watch, certificates });
    expect(await shown()).toEqual({ 'control.tls.cert': endOf('brief.pem') / 1000 });
    install('renewed');
    await until(async () => (await shown())['control.tls.cert'] === endOf('renewed.pem') / 1000);
    writeFileSync(files.cert, read('brief.pem'));
    watch.reloadAll();
    expect(await shown()).toEqual({ 'control.tls.cert': endOf('renewed.pem') / 1000 });
  });
});

describe('a certificate that is about to end', () => {
  const open = () =>
    openServerTls('proxy.tls', { cert: at('control.pem'), key: at('control.key') }, { certificates });
  const warning = (msg: string) => ({
    level: 40,
    msg,
    setting: 'proxy.tls.cert',
    until: new Date(endOf('control.pem')).toISOString(),
  });
  const SOON = 'proxy.tls.cert: the certificate expires in less than 14 days';
  const EXPIRED = 'proxy.tls.cert: the certificate has expired';

  it.each([
    ['two weeks before, nothing is said', -14 * DAY, []],
    ['a moment later, that it expires soon', -14 * DAY + 1, [SOON]],
    ['in its last moment, too', -1, [SOON]],
    ['at its end, that it has expired', 0, [EXPIRED]],
    ['and later on', 400 * DAY, [EXPIRED]],
  ])('%s', (_name, fromItsEnd, messages) => {
    now = endOf('control.pem') + fromItsEnd;
    open();
    expect(lines).toMatchObject(messages.map(warning));
  });

  it('is told of at each reading, and at each look again, while it is in use', async () => {
    const files = { cert: at('own.pem'), key: at('own.key') };
    writeFileSync(files.cert, read('brief.pem'));
    writeFileSync(files.key, read('brief.key'));
    const watch = startFileWatch(createLog('silent'), 3_600_000);
    onTestFinished(() => watch.close());
    openServerTls('proxy.tls', files, { watch, certificates });
    now = endOf('brief.pem') - 14 * DAY + 1;
    certificates.lookAgain();
    watch.reloadAll();
    expect(lines.map(({ msg }) => msg)).toEqual([SOON, SOON]);
    writeFileSync(files.cert, read('renewed.pem'));
    writeFileSync(files.key, read('renewed.key'));
    expect(endOf('renewed.pem') - now).toBeGreaterThan(14 * DAY);
    watch.reloadAll();
    certificates.lookAgain();
    expect(lines).toHaveLength(2);
  });

  it('is all that the log has of it: nothing of the key, nor of what is in the files', () => {
    now = endOf('control.pem');
    open();
    const text = JSON.stringify(lines);
    for (const file of ['control.key', 'control.pem'])
      for (const line of read(file)
        .split('\n')
        .filter((part) => part.length > 20))
        expect(text).not.toContain(line);
  });
});
