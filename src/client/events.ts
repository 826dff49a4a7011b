import { pause } from '../runtime/periodic.ts';
import type { Client } from './calls.ts';
import { ApiError } from './errors.ts';
import type { EventFrame } from './event-frame.ts';

/** The event stream of a deployment, over as many connections as it takes. */

export interface FollowOptions {
  /** The id of the last frame seen: everything later comes first. */
  readonly since?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told whether the stream is open; `false` while it is being opened again. */
  readonly onConnection?: ((isOpen: boolean) => void) | undefined;
}

const DELETED = 1000;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 10_000;

/**
 * Frames as they come, without a gap: after a break it goes on where it was. Ends when the deployment is deleted or the
 * signal is given.
 *
 * @throws ApiError, UnreachableError if the deployment can't be read at the beginning; ApiError also if the token no
 *   longer counts later on
 */
export async function* followEvents(
  client: Client,
  id: string,
  options: FollowOptions = {},
): AsyncGenerator<EventFrame, void, undefined> {
  const signal = options.signal ?? new AbortController().signal;
  let { since } = options;
  let waitMs = RETRY_MS_MIN;
  // A WebSocket that is refused does not say why; this does.
  try {
    await client.getDeployment({ id, signal });
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  do {
    const stream = await openStream(client, id, since);
    if (signal.aborted) stream.close();
    const stop = (): void => stream.close();
    signal.addEventListener('abort', stop);
    try {
      for (let next = await stream.next(); next !== undefined; next = await stream.next()) {
        if (next === 'open') {
          waitMs = RETRY_MS_MIN;
          options.onConnection?.(true);
          continue;
        }
        since = next.id ?? since;
        yield next;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      stream.close();
    }
    if (stream.closeCode === DELETED || signal.aborted) return;
    options.onConnection?.(false);
    waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
    if (await isGone(client, id, signal)) return;
  } while (await pause(waitMs, signal));
}

/** Deleted meanwhile. What can't be asked now is asked again after the next try. */
async function isGone(client: Client, id: string, signal: AbortSignal): Promise<boolean> {
  try {
    await client.getDeployment({ id, signal });
    return false;
  } catch (error) {
    if (!(error instanceof ApiError)) return false;
    // A token that was withdrawn: no further try would mend that.
    if (error.status === 401 || error.status === 403) throw error;
    return error.code === 'DEPLOYMENT_NOT_FOUND';
  }
}

interface Stream {
  /** @returns undefined at the end */
  next(): Promise<EventFrame | 'open' | undefined>;
  close(): void;
  readonly closeCode: number | undefined;
}

async function openStream(client: Client, id: string, since: string | undefined): Promise<Stream> {
  const query = since === undefined ? '' : `?since=${encodeURIComponent(since)}`;
  const url = `${client.url.replace(/^http/, 'ws')}/api/v1/canary/deployments/${encodeURIComponent(id)}/events${query}`;
  const token = client.token === undefined ? [] : [`bearer.${encodeURIComponent(client.token)}`];
  const socket = await client.transport.openWebSocket(url, ['lanewise.v1', ...token]);
  const arrived: (EventFrame | 'open')[] = [];
  let closeCode: number | undefined;
  let isOver = false;
  let wake = (): void => {};
  const put = (item: EventFrame | 'open'): void => {
    arrived.push(item);
    wake();
  };
  socket.addEventListener('open', () => put('open'));
  socket.addEventListener('message', ({ data }) => put(JSON.parse(String(data)) as EventFrame));
  socket.addEventListener('error', () => {});
  socket.addEventListener('close', ({ code }) => {
    closeCode = code;
    isOver = true;
    wake();
  });
  return {
    async next() {
      if (arrived.length === 0 && !isOver) await new Promise<void>((resolve) => (wake = resolve));
      return arrived.shift();
    },
    close: () => socket.close(),
    get closeCode() {
      return closeCode;
    },
  };
}
