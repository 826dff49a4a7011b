import type { ClientTlsFiles } from '../../../config/tls.ts';
import type { FileKeeping } from './file-keeping.ts';
import { pathsOf, readPemFiles, type TlsMaterial } from './pem-files.ts';

/** How servers are spoken to: with what Node trusts, and no certificate of ours, where nothing is set. */
export interface ClientTls {
  /** As the files say now; another object once they have changed. */
  readonly material: TlsMaterial;
}

/**
 * @param name of the setting: `proxy.worker_tls`
 * @throws OperatorError naming the setting and the file that is at fault
 */
export function openClientTls(
  name: string,
  { key_passphrase: passphrase, ...files }: ClientTlsFiles,
  { watch, certificates }: FileKeeping = {},
): ClientTls {
  const settings = { ca: `${name}.ca`, cert: `${name}.cert`, key: `${name}.key` };
  const read = (): TlsMaterial => {
    const found = readPemFiles({ ...files, passphrase }, settings);
    certificates?.note(found, settings);
    return found;
  };
  let material = read();
  watch?.add({ name, paths: pathsOf(files), reload: () => void (material = read()) });
  return {
    get material() {
      return material;
    },
  };
}

/** For libraries that keep their options and copy from them at each connection. */
export function asLiveOptions(tls: ClientTls): TlsMaterial {
  const options = {};
  for (const name of ['ca', 'cert', 'key', 'passphrase'] as const)
    Object.defineProperty(options, name, { enumerable: true, get: () => tls.material[name] });
  return options;
}
