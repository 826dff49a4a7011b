import { useEffect, useState } from 'preact/hooks';
import type { DeploymentMetrics, HealthStatus } from '../../../src/client/api-types.ts';
import { session } from './session.ts';
import { listenTo } from './shared-streams.ts';

/** What a row of the list shows of how a deployment is doing, from its event stream: nothing is polled for it. */
export interface LiveRow {
  readonly metrics: DeploymentMetrics | undefined;
  readonly health: HealthStatus | undefined;
}

const NOTHING: LiveRow = { metrics: undefined, health: undefined };

/** @param onChange something has happened that the list shows */
export function useLiveRow(id: string, isWatched: boolean, onChange: () => void): LiveRow {
  const [row, setRow] = useState(NOTHING);
  useEffect(() => {
    setRow(NOTHING);
    const { client } = session.peek() ?? {};
    if (!isWatched || client === undefined) return undefined;
    return listenTo(client, id, {
      onMetrics: (metrics) => setRow(({ health = 'unknown' }) => ({ metrics, health })),
      onHealth: (health) => setRow(({ metrics }) => ({ metrics, health })),
      onEvent: onChange,
    });
  }, [id, isWatched]);
  return row;
}
