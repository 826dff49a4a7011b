import { useEffect, useState } from 'preact/hooks';
import type {
  DeploymentEvent,
  DeploymentHealth,
  DeploymentMetrics,
  DetailedDeployment,
} from '../../../src/client/api-types.ts';
import { refusalFrom, type Refusal } from '../model/refusal.ts';
import type { StreamState } from '../model/stream-state.ts';
import { call, restUntil } from './call.ts';
import { forgetSource, markFresh, markStale } from './freshness.ts';
import { session } from './session.ts';
import { listenTo } from './shared-streams.ts';

/** Everything that the page of one deployment shows, kept up to date by its event stream. */
export interface Watched {
  readonly deployment?: DetailedDeployment;
  /** For `If-Match`. */
  readonly etag?: string | undefined;
  readonly metrics?: DeploymentMetrics;
  readonly health?: DeploymentHealth;
  /** Newest first. */
  readonly events?: readonly DeploymentEvent[];
  /** Why it can't be shown at all. */
  readonly problem?: Refusal;
  readonly isDeleted?: boolean;
}

export interface WatchedDeployment extends Watched {
  /** After a change of one's own. */
  readonly reload: () => void;
}

/** How far the proxies have come is told by nobody; it is asked for. */
const ROUTING_EVERY_MS = 10_000;
/** Frames of one event come together. */
const TOGETHER_MS = 50;

export function useWatchedDeployment(id: string): WatchedDeployment {
  const [state, setState] = useState<Watched & { id: string }>({ id });
  const [reload, setReload] = useState<() => void>(() => () => {});

  useEffect(() => {
    const watch = startWatch(id, (change) =>
      setState((before) => ({ ...(before.id === id ? before : { id }), ...change(before) })),
    );
    setReload(() => watch.reload);
    return () => watch.close();
  }, [id]);

  return { ...(state.id === id ? state : {}), reload };
}

interface Watch {
  readonly reload: () => void;
  close(): void;
}

function startWatch(id: string, change: (change: (before: Watched) => Partial<Watched>) => void): Watch {
  const source = `deployment ${id}`;
  const { client } = session.peek()!;
  let isOver = false;
  let soon: ReturnType<typeof setTimeout> | undefined;
  const put = (part: Partial<Watched>): void => {
    if (!isOver) change(() => part);
  };
  const fail = (error: unknown): void => {
    const problem = refusalFrom(error);
    // Shown only where there is nothing better to show.
    if (!isOver) change((before) => (before.deployment === undefined ? { problem } : {}));
  };

  const readDeployment = async (): Promise<void> => {
    const { body, etag } = await call((api) => api.exchange('getDeployment', { id }));
    put({ deployment: body, etag, metrics: body.metrics });
  };
  const readHealth = async (): Promise<void> => put({ health: await call((api) => api.getHealth({ id })) });
  const readEvents = async (): Promise<void> => {
    put({ events: (await call((api) => api.listDeploymentEvents({ id }))).events });
  };
  const readAll = async (): Promise<unknown> => Promise.all([readDeployment(), readHealth(), readEvents()]);
  /** Frames of one event come together, and the API may have asked for rest. */
  const readSoon = (): void => {
    clearTimeout(soon);
    const restMs = restUntil.peek() - Date.now();
    soon = setTimeout(() => void readAll().catch(fail), Math.max(TOGETHER_MS, restMs));
  };

  // What happens is heard from when the stream opens, so all is read then, and again after each break; also if it can't
  // be opened, since there may be something to show all the same.
  let phase: StreamState['phase'] = 'connecting';
  const stopListening = listenTo(client, id, {
    onState(state) {
      if (state.phase !== phase && (state.phase === 'open' || state.failures === 1)) readSoon();
      ({ phase } = state);
      if (phase === 'ended') put({ isDeleted: true });
      if (state.staleSince === undefined) return markFresh(source);
      markStale(source, state.staleSince, 'The event stream is broken.');
    },
    onMetrics(metrics) {
      put({ metrics });
      if (!document.hidden && Date.now() >= restUntil.peek()) void readHealth().catch(fail);
    },
    onHealth: () => {},
    onEvent: readSoon,
  });

  const routing = setInterval(() => {
    if (!document.hidden && Date.now() >= restUntil.peek()) void readDeployment().catch(fail);
  }, ROUTING_EVERY_MS);
  return {
    reload: readSoon,
    close() {
      isOver = true;
      clearInterval(routing);
      clearTimeout(soon);
      stopListening();
      forgetSource(source);
    },
  };
}
