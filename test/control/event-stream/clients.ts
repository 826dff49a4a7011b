import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { onTestFinished, vi } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { BASE_PATH } from '../../../control/app.ts';
import type { ControlDeps } from '../../../control/deps.ts';
import { startControlServer, type ControlServer } from '../../../control/server.ts';
import { openControl, SECRETS, type Control, type Json } from '../harness.ts';
import { PATIENCE } from '../../helpers/patience.ts';

/** A control plane on a socket, and clients of its event streams. */
export interface Plane extends Control {
  readonly server: ControlServer;
}

export async function startPlane(
  overrides: Partial<ControlDeps> = {},
  options: { readonly heartbeatMs?: number } = {},
): Promise<Plane> {
  const control = await openControl(overrides);
  const server = await startControlServer({ app: control.app, host: '127.0.0.1', port: 0, ...options });
  onTestFinished(() => server.close(0));
  return { ...control, server };
}

export function streamUrl(plane: Plane, id: string, query = ''): string {
  return `${plane.server.url.replace('http', 'ws')}${BASE_PATH}/deployments/${id}/events${query}`;
}

/** What came, in the order in which it came. */
export interface Client {
  readonly socket: WebSocket;
  readonly frames: readonly Json[];
  /** Code and reason of the end. */
  readonly closed: Promise<{ code: number; reason: string }>;
  /** The frames, once there are so many; live ones are not counted unless `all` is said. */
  kept(count: number): Promise<Json[]>;
  /** The first frame of this type. */
  first(type: string): Promise<Json>;
}

export const HEADERS = { authorization: `Bearer ${SECRETS.viewer}` };

/** Subscribes and waits until it is told that it is connected. */
export async function subscribe(
  plane: Plane,
  id: string,
  query = '',
  options: ClientOptions = { headers: HEADERS },
): Promise<Client> {
  const client = open(plane, id, query, options);
  await once(client.socket, 'open');
  return client;
}

function open(plane: Plane, id: string, query: string, options: ClientOptions): Client {
  const socket = new WebSocket(streamUrl(plane, id, query), options);
  onTestFinished(() => socket.terminate());
  const frames: Json[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const waiting = new Set<() => void>();
  socket.on('message', (data: Buffer) => {
    frames.push(JSON.parse(data.toString()));
    for (const look of waiting) look();
  });
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  socket.on('error', () => undefined);
  socket.once('close', (code, reason) => closed.resolve({ code, reason: reason.toString() }));
  const kept = (): Json[] => frames.filter(({ id: frameId }) => frameId !== undefined);
  return {
    socket,
    frames,
    closed: closed.promise,
    async kept(count) {
      await until(() => kept().length >= count);
      return kept();
    },
    async first(type) {
      await until(() => frames.some((frame) => frame.type === type));
      return frames.find((frame) => frame.type === type);
    },
  };
}

/** A handshake that is refused. */
export async function refused(
  plane: Plane,
  id: string,
  { query = '', protocols = [], ...options }: ClientOptions & { query?: string; protocols?: string[] },
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: Json }> {
  const socket = new WebSocket(streamUrl(plane, id, query), protocols, options);
  socket.on('error', () => undefined);
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  const text = (await response.toArray()).join('');
  return { status: response.statusCode ?? 0, headers: response.headers, body: JSON.parse(text) };
}

export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => {
    if (!(await condition())) throw new Error('it did not come true');
  }, PATIENCE);
}

export async function setPercentage(plane: Control, id: string, percentage: number): Promise<void> {
  const answer = await plane.call('PUT', `/deployments/${id}/percentage`, { percentage });
  if (answer.status !== 200) throw new Error(`not moved: ${JSON.stringify(answer.body)}`);
}

export function percentages(frames: readonly Json[]): number[] {
  return frames.filter((f) => f.type === 'percentage_updated').map((f) => f.data.new_percentage as number);
}
