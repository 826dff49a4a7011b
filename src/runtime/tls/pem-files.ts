import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { OperatorError } from '../operator-error.ts';

/**
 * Certificates and keys from files, checked before anybody relies on them. OpenSSL says "no start line" of most mistakes,
 * and of a CA that is none says nothing at all; here each has a message that names the setting and the file.
 */

/** PEM, as `node:tls` takes it. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
}

export interface PemFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly passphrase?: string | undefined;
}

/** What the configuration calls each of them: `control.tls.cert`. */
export interface PemSettings {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** @throws OperatorError naming the setting and the file that is at fault */
export function readPemFiles(files: PemFiles, settings: PemSettings): TlsMaterial {
  const ca = files.ca === undefined ? undefined : read(settings.ca, files.ca);
  if (ca !== undefined) certificatesOf(ca, settings.ca, files.ca!);
  if (files.cert === undefined || files.key === undefined) return ca === undefined ? {} : { ca };
  const cert = read(settings.cert, files.cert);
  const [own] = certificatesOf(cert, settings.cert, files.cert);
  const key = read(settings.key, files.key);
  if (!own!.checkPrivateKey(privateKeyOf(key, files.passphrase, settings.key, files.key)))
    throw new OperatorError(
      `${settings.key}: the key in ${files.key} is not that of the certificate in ${files.cert} (${settings.cert})`,
    );
  const { passphrase } = files;
  const material: TlsMaterial = {
    cert,
    key,
    ...(ca !== undefined && { ca }),
    ...(passphrase !== undefined && { passphrase }),
  };
  try {
    createSecureContext(material);
  } catch (error) {
    throw new OperatorError(`${settings.cert}: ${files.cert} can't be used (${messageOf(error)})`);
  }
  return material;
}

/** Of `TlsMaterial`, which has been checked. */
export function certificatesIn(pem: string): readonly X509Certificate[] {
  return blocksOf(pem).map((block) => new X509Certificate(block));
}

/** Those that there are, to be looked at for changes. */
export function pathsOf({ ca, cert, key }: PemFiles): readonly string[] {
  return [ca, cert, key].filter((path) => path !== undefined);
}

function read(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new OperatorError(`${setting}: cannot read ${path} (${messageOf(error)})`);
  }
}

/** At least one. */
function certificatesOf(pem: string, setting: string, path: string): readonly X509Certificate[] {
  const blocks = blocksOf(pem);
  if (blocks.length === 0) throw new OperatorError(`${setting}: there is no PEM certificate in ${path}`);
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new OperatorError(
        `${setting}: certificate ${i + 1} in ${path} can't be read (${messageOf(error)})`,
      );
    }
  });
}

function blocksOf(pem: string): readonly string[] {
  return pem.match(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END [^-]*-----/g) ?? [];
}

function privateKeyOf(pem: string, passphrase: string | undefined, setting: string, path: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) });
  } catch (error) {
    const isEncrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
    const reason = !isEncrypted
      ? 'there is no PEM private key in'
      : passphrase === undefined
        ? `${setting}_passphrase is needed for`
        : `${setting}_passphrase does not open`;
    throw new OperatorError(`${setting}: ${reason} ${path} (${messageOf(error)})`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
