import { recordArguments } from '../../../src/runtime/store/redis/telemetry.ts';
import { sharedNow } from '../lanes/job.ts';
import { answerQuestions } from '../part-process.ts';
import { samples } from '../telemetry-load.ts';
import { SimulatedProxy, telemetryCommand } from './simulated-proxy.ts';

/** Some hundred proxies of a fleet. */

export interface ProxiesStart {
  readonly port: number;
  /** Number of the first. */
  readonly from: number;
  readonly count: number;
  /** Whose jobs they report, each those of one. */
  readonly deployments: readonly string[];
}

export interface ProxiesStarted {
  readonly snapshotBytes: number;
}

/** Snapshots read at once. */
const AT_ONCE = 8;
/** Different deltas that a proxy sends by turns. */
const SAMPLES = 10;
/** Of those deployments. */
const STEP = 1;

let proxies: readonly SimulatedProxy[] = [];
/** By revision, when each of them had it, on the clock that all processes share. */
const applied = new Map<number, number[]>();
let wanted: { readonly revision: number; readonly resolve: (times: readonly number[]) => void } | undefined;

function onApplied(revision: number): void {
  const times = applied.get(revision) ?? [];
  applied.set(revision, times);
  if (times.push(sharedNow()) < proxies.length || wanted?.revision !== revision) return;
  wanted.resolve(times);
  wanted = undefined;
}

async function start({ port, from, count, deployments }: ProxiesStart): Promise<ProxiesStarted> {
  const deltas = samples();
  const commands = deployments.map((deployment, i) =>
    Array.from({ length: SAMPLES }, (_, n) => {
      const args = recordArguments(STEP, deltas[(i * SAMPLES + n) % deltas.length]!)!;
      return telemetryCommand(deployment, args);
    }),
  );
  proxies = Array.from(
    { length: count },
    (_, i) =>
      new SimulatedProxy({
        port,
        id: `proxy-${from + i}`,
        telemetry: commands[(from + i) % commands.length]!,
        onApplied,
      }),
  );
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < proxies.length) await proxies[next++]!.start();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return { snapshotBytes: proxies[0]!.snapshotBytes };
}

answerQuestions({
  start,
  /** When each had that revision; resolves when all have it. */
  applied(revision: number): Promise<readonly number[]> {
    const times = applied.get(revision) ?? [];
    if (times.length === proxies.length) return Promise.resolve(times);
    const { promise, resolve } = Promise.withResolvers<readonly number[]>();
    wanted = { revision, resolve };
    return promise;
  },
  failures: () => proxies.reduce((sum, { failures }) => sum + failures, 0),
});
