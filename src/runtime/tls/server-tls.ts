import type { Server as HttpsServer } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { ServerTlsFiles } from '../../../config/tls.ts';
import type { FileKeeping } from './file-keeping.ts';
import { pathsOf, readPemFiles } from './pem-files.ts';

/** What a listener shows its clients, and which certificates it wants to see: as its files say now. */
export interface ServerTls {
  readonly context: SecureContextOptions;
  /** Clients must show a certificate of the CA in `context`. */
  readonly asksClients: boolean;
  /** The server's next connections are by what the files say then; those that stand go on. */
  follow(server: HttpsServer): void;
}

/** https://www.rfc-editor.org/rfc/rfc8996: what came before is not to be used. */
const VERSION_MIN = 'TLSv1.2';

/**
 * @param name of the setting: `control.tls`
 * @returns undefined for a listener without TLS
 * @throws OperatorError naming the setting and the file that is at fault
 */
export function openServerTls(
  name: string,
  { cert, key, key_passphrase: passphrase, client_ca: ca }: ServerTlsFiles,
  { watch, certificates }: FileKeeping = {},
): ServerTls | undefined {
  if (cert === undefined) return undefined;
  const files = { cert, key, passphrase, ca };
  const settings = { cert: `${name}.cert`, key: `${name}.key`, ca: `${name}.client_ca` };
  const read = (): SecureContextOptions => {
    const found = readPemFiles(files, settings);
    certificates?.note(found, settings);
    return { ...found, minVersion: VERSION_MIN };
  };
  let context = read();
  const followers = new Set<HttpsServer>();
  watch?.add({
    name,
    paths: pathsOf(files),
    reload() {
      context = read();
      for (const server of followers) server.setSecureContext(context);
    },
  });
  return {
    get context() {
      return context;
    },
    asksClients: ca !== undefined,
    follow(server) {
      followers.add(server);
      server.once('close', () => followers.delete(server));
    },
  };
}
