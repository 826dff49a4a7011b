import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Client } from '../../../src/client/calls.ts';
import { refusalFrom, type Refusal } from '../model/refusal.ts';
import { call, restUntil } from './call.ts';
import { forgetSource, markFresh, markStale } from './freshness.ts';

/** A list that is read again and again, gently: not while the tab is hidden, and not while the API asks for rest. */
export interface Polled<T> {
  readonly data: T | undefined;
  /** Why it can't be read, if it can't and never could. */
  readonly problem: Refusal | undefined;
  readonly reload: () => void;
}

/** After a failure, since whoever looks wants to know when it is over. */
const RETRY_MS = 3000;

/** @param key what is read; another one begins anew */
export function usePolled<T>(key: string, everyMs: number, read: (client: Client) => Promise<T>): Polled<T> {
  const [state, setState] = useState<{ key: string; data?: T; problem?: Refusal }>({ key });
  const poll = useRef<() => void>(() => {});
  const latest = useRef(read);
  latest.current = read;

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    let readAt = Date.now();
    const again = (ms: number): void => {
      clearTimeout(timer);
      if (!isOver) timer = setTimeout(() => void look(), Math.max(ms, restUntil.peek() - Date.now()));
    };
    const look = async (): Promise<void> => {
      if (document.hidden) return again(everyMs);
      try {
        const data = await call((client) => latest.current(client));
        readAt = Date.now();
        if (isOver) return;
        setState({ key, data });
        markFresh(key);
      } catch (error) {
        if (isOver) return;
        const problem = refusalFrom(error);
        setState((before) => ({ ...(before.key === key ? before : { key }), problem }));
        markStale(key, readAt, problem.message);
        return again(Math.min(everyMs, RETRY_MS));
      }
      again(everyMs);
    };
    const onVisible = (): void => {
      if (!document.hidden) again(Math.max(0, readAt + everyMs - Date.now()));
    };
    poll.current = () => again(0);
    document.addEventListener('visibilitychange', onVisible);
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
      forgetSource(key);
    };
  }, [key, everyMs]);

  const { data, problem } = state.key === key ? state : { data: undefined, problem: undefined };
  return { data, problem, reload: useCallback(() => poll.current(), []) };
}
