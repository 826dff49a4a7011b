import { buildConnector } from 'undici';
import type { TlsMaterial } from '../src/runtime/tls/pem-files.ts';
import type { ClientTls } from '../src/runtime/tls/client-tls.ts';
import type { WorkerAddress } from './worker-address.ts';

/** How undici connects to a worker. @param timeoutMs for the connection, TLS included */
export function createWorkerConnector(
  { socketPath }: WorkerAddress,
  tls: ClientTls,
  timeoutMs: number,
): buildConnector.connector {
  const build = (material: TlsMaterial): buildConnector.connector =>
    buildConnector({
      timeout: timeoutMs,
      allowH2: false,
      ...material,
      ...(socketPath !== undefined && { socketPath }),
    });
  let { material } = tls;
  let connect = build(material);
  return (options, callback) => {
    // Also forgets the sessions that were agreed on with the former certificates.
    if (tls.material !== material) connect = build((material = tls.material));
    connect(options, callback);
  };
}
