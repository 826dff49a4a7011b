import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { openServerTls } from '../../../src/runtime/tls/server-tls.ts';
import { createWebServer } from '../../../src/runtime/tls/web-server.ts';
import { useCertificates } from '../../helpers/certificates.ts';

const at = useCertificates();

async function listening(): Promise<{ server: Server; client: Socket }> {
  const files = { cert: at('control.pem'), key: at('control.key') };
  const server = createWebServer({}, openServerTls('control.tls', files));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const seen = once(server, 'connection');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  await seen;
  return { server, client };
}

test('a server that closes does not wait for handshakes that never end', async () => {
  const { server, client } = await listening();
  const failed = once(server as HttpsServer, 'tlsClientError');
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  // And not ERR_TLS_HANDSHAKE_TIMEOUT.
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  await closed;
  client.destroy();
});

test('what is not TLS is no bad request: nobody is told of one', async () => {
  const { server, client } = await listening();
  const told: unknown[] = [];
  server.on('clientError', (error) => told.push(error));
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  client.resume();
  await once(client, 'close');
  expect(told).toEqual([]);
  server.close();
  await once(server, 'close');
});
