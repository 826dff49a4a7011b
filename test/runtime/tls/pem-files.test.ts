import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OperatorError } from '../../../src/runtime/operator-error.ts';
import { readPemFiles, type PemFiles } from '../../../src/runtime/tls/pem-files.ts';
import { PASSPHRASE, useCertificates } from '../../helpers/certificates.ts';

const at = useCertificates();

const SETTINGS = { ca: 'control.tls.client_ca', cert: 'control.tls.cert', key: 'control.tls.key' };

function read(files: PemFiles) {
  const paths = Object.entries(files).map(([name, file]) => [
    name,
    name === 'passphrase' || String(file).startsWith('/') ? file : at(String(file)),
  ]);
  return readPemFiles(Object.fromEntries(paths) as PemFiles, SETTINGS);
}

describe('certificates and keys', () => {
  it('are read as they are', () => {
    const material = read({ ca: 'ca.pem', cert: 'control.pem', key: 'control.key' });
    expect(new X509Certificate(material.cert!).subject).toBe('CN=control');
    expect(new X509Certificate(material.ca!).subject).toBe('CN=ca');
    expect(material.key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  });

  it('may be nothing, or a CA alone', () => {
    expect(read({})).toEqual({});
    expect(Object.keys(read({ ca: 'ca.pem' }))).toEqual(['ca']);
  });

  it('may be a chain, and a CA several', () => {
    const chain = at('chain.pem');
    writeFileSync(chain, readFileSync(at('control.pem'), 'utf8') + readFileSync(at('ca.pem'), 'utf8'));
    expect(read({ ca: chain, cert: chain, key: 'control.key' })).toHaveProperty('cert');
  });

  it('may have an encrypted key', () => {
    expect(read({ cert: 'control.pem', key: 'encrypted.key', passphrase: PASSPHRASE })).toMatchObject({
      passphrase: PASSPHRASE,
    });
  });
});

describe('files that can not be used are named with their setting', () => {
  const broken = (name: string, text: string): string => {
    writeFileSync(at(name), text);
    return name;
  };
  it.each<[string, () => PemFiles, string]>([
    [
      'a certificate that is not there',
      () => ({ cert: '/nowhere/c.pem', key: 'control.key' }),
      'control.tls.cert: cannot read /nowhere/c.pem (ENOENT',
    ],
    [
      'a key that is not there',
      () => ({ cert: 'control.pem', key: '/nowhere/c.key' }),
      'control.tls.key: cannot read /nowhere/c.key (ENOENT',
    ],
    [
      'a CA that is not there',
      () => ({ ca: '/nowhere/ca.pem' }),
      'control.tls.client_ca: cannot read /nowhere/ca.pem (ENOENT',
    ],
    [
      'a key in place of the certificate',
      () => ({ cert: 'control.key', key: 'control.key' }),
      'control.tls.cert: there is no PEM certificate in ',
    ],
    [
      'a certificate in place of the key',
      () => ({ cert: 'control.pem', key: 'control.pem' }),
      'control.tls.key: there is no PEM private key in ',
    ],
    [
      'a CA that is none',
      () => ({ ca: broken('empty.pem', '') }),
      'control.tls.client_ca: there is no PEM certificate in ',
    ],
    [
      'a certificate that is cut off',
      () => ({
        cert: broken('cut.pem', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'),
        key: 'control.key',
      }),
      'control.tls.cert: certificate 1 in ',
    ],
    [
      "another certificate's key",
      () => ({ cert: 'control.pem', key: 'worker.key' }),
      'control.tls.key: the key in ',
    ],
    [
      'an encrypted key',
      () => ({ cert: 'control.pem', key: 'encrypted.key' }),
      'control.tls.key: control.tls.key_passphrase is needed for ',
    ],
    [
      'a wrong passphrase',
      () => ({ cert: 'control.pem', key: 'encrypted.key', passphrase: 'not-this-one' }),
      'control.tls.key: control.tls.key_passphrase does not open ',
    ],
  ])('%s', (_name, files, message) => {
    const reading = (): unknown => read(files());
    expect(reading).toThrow(OperatorError);
    expect(reading).toThrow(message);
    // Neither what is in a key nor what opens it.
    expect(reading).not.toThrow(/not-this-one|PRIVATE KEY-----/);
  });
});
