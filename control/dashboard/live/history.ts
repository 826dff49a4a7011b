import { useEffect, useRef, useState } from 'preact/hooks';
import type { HistoryPoint } from '../../../src/client/api-types.ts';
import { parseDuration } from '../../../src/core/duration.ts';
import { merged } from '../model/history.ts';
import { call } from './call.ts';

/** What the charts have so far. */
interface Loaded {
  readonly of: string;
  /** What each point is over, as a duration. */
  readonly step: string;
  readonly points: readonly HistoryPoint[];
  /** The end of the last point, or when it was asked for. */
  readonly until: number;
}

/**
 * The charts of a deployment: all of the window at first, then whatever has come since.
 *
 * @param window as a duration; undefined: not known yet
 * @param beat of the live metrics: whenever it changes, there may be another point
 */
export function useHistory(
  id: string,
  window: string | undefined,
  beat: string | undefined,
): readonly HistoryPoint[] {
  const of = `${id} ${window ?? ''}`;
  const [loaded, setLoaded] = useState<Loaded>();
  const latest = useRef(loaded);
  latest.current = loaded?.of === of ? loaded : undefined;

  useEffect(() => {
    if (window === undefined || beat === undefined) return undefined;
    let isOver = false;
    const read = async (): Promise<void> => {
      const before = latest.current;
      const query = before === undefined ? { window } : missing(before, window);
      if (query === undefined) return;
      try {
        const { step, points } = await call((client) => client.getHistory({ id, ...query }));
        const all = merged(before?.points ?? [], points, parseDuration(window) ?? 0);
        const last = all.at(-1)?.timestamp;
        if (!isOver)
          setLoaded({ of, step, points: all, until: last === undefined ? Date.now() : Date.parse(last) });
      } catch {
        // The next beat asks again; that none comes any more is said by the stream.
      }
    };
    void read();
    return () => {
      isOver = true;
    };
  }, [of, beat]);

  return latest.current?.points ?? NONE;
}

const NONE: readonly HistoryPoint[] = [];

/** @returns undefined while there can be nothing new */
function missing({ step, until }: Loaded, window: string): { window: string; step: string } | undefined {
  const stepMs = parseDuration(step) ?? 0;
  const sinceMs = Date.now() - until;
  if (sinceMs < stepMs) return undefined;
  // One more than has come: clocks differ, and proxies report late.
  const windowMs = Math.min(parseDuration(window) ?? 0, sinceMs + 2 * stepMs);
  return { window: `${Math.ceil(windowMs / 1000)}s`, step };
}
