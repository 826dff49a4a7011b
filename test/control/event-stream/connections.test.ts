import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, type ClientOptions, type WebSocketServer } from 'ws';
import { createWebSockets } from '../../../control/http/web-sockets.ts';
import { listen } from '../../../src/runtime/listen.ts';
import { createLog } from '../../../src/runtime/log.ts';
import type { LiveObserver } from '../../../control/event-stream/watch.ts';
import { created } from '../harness.ts';
import {
  eventually,
  HEADERS,
  percentages,
  setPercentage,
  startPlane,
  subscribe,
  type Client,
} from './clients.ts';

// Two seconds on a machine that has nothing else to do.
test('a thousand clients of one instance all hear of a change', async () => {
  const plane = await startPlane();
  const id = await created(plane);
  const clients: Client[] = [];
  while (clients.length < 1000) {
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => subscribe(plane, id)))));
  }
  await setPercentage(plane, id, 25);
  await plane.call('POST', `/deployments/${id}/promote`);
  const heard = await Promise.all(clients.map((client) => client.kept(4)));
  for (const frames of heard) expect(frames).toEqual(heard[0]);
  expect(percentages(heard[0]!)).toEqual([25, 100]);
});

test('a client that does not read is cut off, and the others go on', async () => {
  const lines: string[] = [];
  const others: Client[] = [];
  const metricsSeen = ({ frames }: Client): number =>
    frames.filter((f) => f.type === 'metrics_updated').length;
  let told = 0;
  // So much that a client which does not read is soon behind; but no more before the others have read it.
  const observer: LiveObserver = {
    async observe() {
      await eventually(() => others.every((client) => metricsSeen(client) >= told));
      if (others.length > 0) told += 1;
      return { metrics: 'x'.repeat(256 * 1024), health: { overall_status: 'healthy' } };
    },
  };
  const plane = await startPlane({
    log: createLog('info', { write: (line) => void lines.push(line) }),
    eventStream: { observer, metricsIntervalMs: 2, bufferedBytesMax: 1024 * 1024 },
  });
  const id = await created(plane);
  const slow = await subscribe(plane, id);
  others.push(...(await Promise.all(Array.from({ length: 3 }, () => subscribe(plane, id)))));
  slow.socket.pause();
  await eventually(() => lines.some((line) => line.includes('too slow')));
  await setPercentage(plane, id, 25);
  for (const client of others) expect(percentages(await client.kept(1))).toEqual([25]);
  slow.socket.resume();
  // No goodbye: it would have waited in the queue that was not read.
  expect(await slow.closed).toMatchObject({ code: 1006 });
});

describe('a heartbeat', () => {
  test('goes to every client, and those that answer stay', async () => {
    const sockets = createWebSockets(3_600_000);
    const server = createServer();
    server.on('upgrade', (request, socket, head) => {
      sockets.server.handleUpgrade(request, socket, head, (to) => {
        sockets.server.emit('connection', to, request);
      });
    });
    const { port } = await listen(server, { host: '127.0.0.1', port: 0, variables: '' });
    onTestFinished(() => void server.close());
    const connect = async (options: ClientOptions): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, options);
      await once(socket, 'open');
      return socket;
    };
    const [alive, dead] = [await connect({}), await connect({ autoPong: false })];
    const ponged = new Promise<void>((resolve) => {
      (sockets.server as unknown as WebSocketServer).clients.forEach((client) => client.on('pong', resolve));
    });
    sockets.beat();
    await ponged;
    const [ended, pinged] = [once(dead, 'close'), once(alive, 'ping')];
    sockets.beat();
    expect((await ended)[0]).toBe(1006);
    await pinged;
    expect(alive.readyState).toBe(WebSocket.OPEN);
    const goodbye = once(alive, 'close');
    sockets.close(1000);
    expect((await goodbye)[0]).toBe(1001);
  });

  test('comes by itself: a client that answers none is cut off', async () => {
    const plane = await startPlane({}, { heartbeatMs: 10 });
    const id = await created(plane);
    const client = await subscribe(plane, id, '', { headers: HEADERS, autoPong: false });
    expect(await client.closed).toMatchObject({ code: 1006 });
  });
});

describe('what a client says', () => {
  test('is ignored', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    const client = await subscribe(plane, id);
    client.socket.send('hello');
    client.socket.send(Buffer.from([1, 2, 3]));
    client.socket.send('{"type":"subscribe"}');
    await setPercentage(plane, id, 5);
    expect(percentages(await client.kept(1))).toEqual([5]);
  });

  test('must be short', async () => {
    const plane = await startPlane();
    const client = await subscribe(plane, await created(plane));
    client.socket.send('x'.repeat(5000));
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  test('must be UTF-8 if it is text', async () => {
    const plane = await startPlane();
    const client = await subscribe(plane, await created(plane));
    client.socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
    expect(await client.closed).toMatchObject({ code: 1007 });
  });
});

describe('a server that stops', () => {
  test('says so to its clients, and does not wait for them', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    const clients = await Promise.all(Array.from({ length: 10 }, () => subscribe(plane, id)));
    await plane.server.close(600_000);
    for (const client of clients) {
      expect(await client.closed).toEqual({ code: 1001, reason: 'the server is shutting down' });
    }
  });

  test('breaks off a client that does not answer', async () => {
    const plane = await startPlane();
    const client = await subscribe(plane, await created(plane));
    client.socket.pause();
    await plane.server.close(20);
    client.socket.resume();
    // The goodbye is all that it finds.
    expect([1001, 1006]).toContain((await client.closed).code);
  });

  test('takes no client that comes meanwhile', async () => {
    const entered = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const plane = await startPlane();
    const id = await created(plane);
    const getDeployment = plane.store.getDeployment.bind(plane.store);
    plane.store.getDeployment = async (deploymentId) => {
      entered.resolve();
      await release.promise;
      return getDeployment(deploymentId);
    };
    const late = subscribe(plane, id);
    await entered.promise;
    const closed = plane.server.close(600_000);
    release.resolve();
    await expect(late).rejects.toThrow(/503/);
    await closed;
  });
});
