/**
 * A stream of events over as many connections as it takes: where to go on after a break, how long to wait before the
 * next try, and since when what is shown may be out of date.
 */
export interface StreamState {
  readonly phase: 'connecting' | 'open' | 'waiting' | 'ended';
  /** Of the last frame that is kept; `?since=` goes on from there. */
  readonly lastId: string | undefined;
  /** Tries in a row that came to nothing. */
  readonly failures: number;
  /** Milliseconds since the epoch; undefined while all is up to date. */
  readonly staleSince: number | undefined;
}

export type StreamEvent =
  | { readonly kind: 'opened' }
  | { readonly kind: 'frame'; readonly id: string | undefined }
  | { readonly kind: 'closed'; readonly code: number; readonly at: number }
  | { readonly kind: 'retried' };

/** The code with which a stream ends for good: the deployment was deleted. */
const DELETED = 1000;

export const STREAM_START: StreamState = {
  phase: 'connecting',
  lastId: undefined,
  failures: 0,
  staleSince: undefined,
};

export function afterStream(state: StreamState, event: StreamEvent): StreamState {
  switch (event.kind) {
    case 'opened':
      return { ...state, phase: 'open', failures: 0, staleSince: undefined };
    case 'frame':
      return { ...state, lastId: event.id ?? state.lastId };
    case 'closed':
      if (event.code === DELETED) return { ...state, phase: 'ended', staleSince: undefined };
      return {
        ...state,
        phase: 'waiting',
        failures: state.failures + 1,
        staleSince: state.staleSince ?? event.at,
      };
    case 'retried':
      return { ...state, phase: 'connecting' };
    default:
      return event satisfies never;
  }
}

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;

/** Longer after each failure, and never the same for all who wait. @param random 0 to 1 */
export function retryDelay({ failures }: StreamState, random: number): number {
  const most = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.max(0, failures - 1));
  return most * (0.5 + random / 2);
}
