import { check } from './check.ts';
import { CONTENDERS, reasonOf, type Contender, type Started } from './contenders.ts';
import type { Lanes } from './nginx.ts';
import { median, type ProxyRow, type Settings } from './run.ts';
import { load, measure, type Latencies, type Load, type Usage } from './wrk.ts';

/**
 * All proxies side by side: each is checked, then all are measured in turns, so that what else the machine does falls on
 * all alike. Saturation first, then latencies at half of that.
 */

interface Measured extends Usage {
  readonly requestsPerSecond: number;
  readonly atHalf: Latencies;
}

interface Candidate extends Started {
  readonly contender: Contender;
  readonly measured: Measured[];
}

const WARM_UP_SECONDS = 3;

/** @param missing is told of peers that could not be started, and why */
export async function compare(
  lanes: Lanes,
  { rounds, seconds, connections, bodyBytes }: Settings,
  log: (text: string) => void,
  missing: string[],
): Promise<readonly ProxyRow[]> {
  await using opened = new AsyncDisposableStack();
  const candidates: Candidate[] = [];
  for (const contender of CONTENDERS) {
    const started = await startOrNot(opened, contender, lanes, missing);
    if (started === undefined) continue;
    await check(contender, started);
    candidates.push({ ...started, contender, measured: [] });
  }
  for (let round = 1; round <= rounds; round++) {
    for (const { contender, program, url, measured } of candidates) {
      const { name } = contender;
      log(`round ${round} of ${rounds}: ${name}`);
      const saturating: Load = { url: `${url}/dispatch/jobs`, connections, seconds, bodyBytes };
      // The first time, engines compile; later, what the others did is gone from the caches.
      await load(name, { ...saturating, seconds: round === 1 ? WARM_UP_SECONDS : 1 });
      const { result, usage } = await measure(name, program, saturating);
      const requestsPerSecond = result.requests / result.seconds;
      const { p50, p99, p999 } = await load(name, { ...saturating, rate: requestsPerSecond / 2 });
      measured.push({ ...usage, requestsPerSecond, atHalf: { p50, p99, p999 } });
    }
  }
  return candidates.map(({ contender, measured }) => rowOf(contender.name, measured));
}

/** A peer that is not installed is reported and left out; a failure of ours ends the run. */
async function startOrNot(
  opened: AsyncDisposableStack,
  contender: Contender,
  lanes: Lanes,
  missing: string[],
): Promise<Started | undefined> {
  try {
    return await contender.start(opened, lanes);
  } catch (error) {
    if (contender.isOurs) throw error;
    missing.push(`${contender.name}: ${reasonOf(error)}`);
    return undefined;
  }
}

function rowOf(name: string, measured: readonly Measured[]): ProxyRow {
  const of = (pick: (one: Measured) => number): number => median(measured.map(pick));
  return {
    name,
    cpuPerRequest: of((one) => one.cpuPerRequest),
    memoryMiB: of((one) => one.memoryMiB),
    requestsPerSecond: of((one) => one.requestsPerSecond),
    atHalf: {
      p50: of((one) => one.atHalf.p50),
      p99: of((one) => one.atHalf.p99),
      p999: of((one) => one.atHalf.p999),
    },
  };
}
