import type { EventFrame } from '../../../src/client/event-frame.ts';
import type { Client } from '../../../src/client/calls.ts';
import {
  afterStream,
  retryDelay,
  STREAM_START,
  type StreamEvent,
  type StreamState,
} from '../model/stream-state.ts';
import { restUntil } from './call.ts';

/** The documented WebSocket of a deployment, opened again and again for as long as somebody watches. */
export interface StreamListener {
  onFrame(frame: EventFrame): void;
  onState(state: StreamState): void;
}

export interface EventStream {
  close(): void;
  /** Now, if it is waiting. */
  retry(): void;
}

/** A connection that says nothing for so long is dead, even if nobody says so: metrics come every 5 s. */
const SILENCE_MS_MAX = 20_000;

/** Begins with what happens from now on. */
export function openEventStream(client: Client, id: string, listener: StreamListener): EventStream {
  let state = STREAM_START;
  let socket: WebSocket | undefined;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let silenceTimer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;

  const pass = (event: StreamEvent): void => {
    state = afterStream(state, event);
    listener.onState(state);
  };

  const connect = (): void => {
    clearTimeout(retryTimer);
    const opened = new WebSocket(addressOf(client, id, state.lastId), protocolsOf(client));
    socket = opened;
    const hear = (): void => {
      clearTimeout(silenceTimer);
      silenceTimer = setTimeout(() => opened.close(SILENT, 'nothing was heard'), SILENCE_MS_MAX);
    };
    opened.addEventListener('open', () => {
      hear();
      pass({ kind: 'opened' });
    });
    opened.addEventListener('message', ({ data }) => {
      hear();
      const frame = JSON.parse(String(data)) as EventFrame;
      pass({ kind: 'frame', id: frame.id });
      listener.onFrame(frame);
    });
    opened.addEventListener('close', ({ code }) => {
      clearTimeout(silenceTimer);
      if (isOver || socket !== opened) return;
      pass({ kind: 'closed', code, at: Date.now() });
      if (state.phase === 'waiting') waitThenConnect();
    });
  };

  const waitThenConnect = (): void => {
    const restMs = restUntil.peek() - Date.now();
    retryTimer = setTimeout(retryNow, Math.max(restMs, retryDelay(state, Math.random())));
  };

  const retryNow = (): void => {
    if (isOver || state.phase !== 'waiting') return;
    pass({ kind: 'retried' });
    connect();
  };

  connect();
  return {
    retry: retryNow,
    close() {
      isOver = true;
      clearTimeout(retryTimer);
      clearTimeout(silenceTimer);
      socket?.close();
    },
  };
}

/** Of our own use: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2 */
const SILENT = 4000;

function addressOf({ url }: Client, id: string, since: string | undefined): string {
  const query = since === undefined ? '' : `?since=${encodeURIComponent(since)}`;
  return `${url.replace(/^http/, 'ws')}/api/v1/canary/deployments/${encodeURIComponent(id)}/events${query}`;
}

function protocolsOf({ token }: Client): string[] {
  return ['lanewise.v1', `bearer.${encodeURIComponent(token ?? '')}`];
}
