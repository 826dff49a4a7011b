import { join } from 'node:path';
import type { Client } from '../../client/calls.ts';
import { createClient } from '../../client/client.ts';
import { loadConfig, type Config } from '../../../config/load.ts';
import { OperatorError } from '../../runtime/operator-error.ts';
import { readPemFiles, type TlsMaterial } from '../../runtime/tls/pem-files.ts';
import { UsageError } from '../exit-codes.ts';
import type { Host } from '../host.ts';
import { readConfigFile } from '../settings.ts';

/** Where the control plane is, and what proves that one may ask it. */
export interface ConnectionOptions {
  readonly url?: string;
  readonly token?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly config?: string;
}

/**
 * Options win over LANEWISE_URL and LANEWISE_TOKEN, and those over what the configuration of a control plane on this
 * machine says. The token that it made is only offered to it, never to another address.
 */
export function connect(host: Host, options: ConnectionOptions): Client {
  const { LANEWISE_URL, LANEWISE_TOKEN } = host.environment;
  const url = options.url ?? nonEmpty(LANEWISE_URL);
  const token = options.token ?? nonEmpty(LANEWISE_TOKEN);
  if (url !== undefined) refuseOther(url);
  const tls = tlsOf(host, options);
  if (url !== undefined && (token !== undefined || !isLoopbackUrl(url)))
    return createClient({ url, token, tls });
  const { config } = loadConfig({
    environment: host.environment,
    readFile: (path) => host.readFile(path),
    ...(options.config !== undefined && {
      file: { path: options.config, text: readConfigFile(host, options.config) },
    }),
  });
  return createClient({ url: url ?? localUrl(config), token: token ?? localToken(host, config), tls });
}

/** @throws OperatorError naming the option or variable and the file */
function tlsOf(host: Host, options: ConnectionOptions): TlsMaterial | undefined {
  const { LANEWISE_CA, LANEWISE_CERT, LANEWISE_KEY } = host.environment;
  const ca = options.ca ?? nonEmpty(LANEWISE_CA);
  const cert = options.cert ?? nonEmpty(LANEWISE_CERT);
  const key = options.key ?? nonEmpty(LANEWISE_KEY);
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if ((cert === undefined) !== (key === undefined))
    throw new OperatorError(
      '--cert and --key (LANEWISE_CERT, LANEWISE_KEY) go together; give both or neither',
    );
  return readPemFiles(
    { ca, cert, key },
    {
      ca: options.ca === undefined ? 'LANEWISE_CA' : '--ca',
      cert: options.cert === undefined ? 'LANEWISE_CERT' : '--cert',
      key: options.key === undefined ? 'LANEWISE_KEY' : '--key',
    },
  );
}

/** Others would fail too, but with the words of `fetch`. */
function refuseOther(url: string): void {
  const protocol = URL.parse(url)?.protocol;
  if (protocol === 'http:' || protocol === 'https:') return;
  throw new UsageError(
    `The address of a control plane is http://<host>:<port> or https://…, got ${JSON.stringify(url)}`,
  );
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function isLoopbackUrl(url: string): boolean {
  const name = URL.parse(url)?.hostname ?? '';
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name);
}

/** Who listens everywhere listens on loopback too. */
function localUrl({ control: { host, port, tls } }: Config): string {
  const scheme = tls.cert === undefined ? 'http' : 'https';
  if (host === '0.0.0.0' || host === '::') return `${scheme}://127.0.0.1:${port}`;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The one that the control plane has made, where it keeps it. Without it, the answer says that a token is needed. */
function localToken(host: Host, config: Config): string | undefined {
  if (config.tokens !== undefined) return undefined;
  try {
    return host.readFile(join(config.data_dir, 'token')).trim();
  } catch {
    return undefined;
  }
}
