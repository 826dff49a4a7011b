import { buildConnector } from 'undici';
import { createCheckedConnector } from '../src/runtime/addresses/checked-connector.ts';
import type { TlsMaterial } from '../src/runtime/tls/pem-files.ts';
import type { WorkerAddress, WorkerWays } from './worker-address.ts';

/** How undici connects to a worker. The time-out is that of the connection, TLS included. */
export function createWorkerConnector(
  { socketPath }: WorkerAddress,
  { tls, guard, timeouts }: WorkerWays,
): buildConnector.connector {
  const build = (material: TlsMaterial): buildConnector.connector =>
    socketPath === undefined
      ? createCheckedConnector(guard, { timeout: timeouts.connect, ...material })
      : buildConnector({ timeout: timeouts.connect, allowH2: false, socketPath });
  let { material } = tls;
  let connect = build(material);
  return (options, callback) => {
    // Also forgets the sessions that were agreed on with the former certificates.
    if (tls.material !== material) connect = build((material = tls.material));
    connect(options, callback);
  };
}
