import { setTimeout as delay } from 'node:timers/promises';
import { seeded } from '../fuzz/mutate.ts';
import { ApiCalls } from './api-calls.ts';
import { DirectProducers, isExcused, type Dispatch } from './direct-producers.ts';
import { Epochs } from './epochs.ts';
import { inflict, type Stage } from './inflict.ts';
import { aboveBaseline, quietUse } from './invariants/baseline.ts';
import { checkJobs, missing } from './invariants/jobs.ts';
import { Terms } from './invariants/judges.ts';
import { RevisionWatch } from './invariants/revisions.ts';
import { ProxyLives } from './invariants/rollbacks.ts';
import { areSaved } from './invariants/saved-routes.ts';
import { Journal } from './journal.ts';
import { Operator } from './operator.ts';
import { FAULTS, planFaults, type Track } from './plan.ts';
import { QueueProducers } from './queue-producers.ts';
import { RedisLosses } from './redis-faults.ts';
import { comesToPass } from './patience.ts';
import { notReady, QUEUES, startScene } from './scene.ts';
import type { Summary } from './summary.ts';
import { Violations } from './violations.ts';

export interface RunOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly say: (line: string) => void;
}

/** Starts everything, lets the faults of the seed happen under load, waits until all is quiet, and looks at what was. */
export async function runFaults({ seed, seconds, say }: RunOptions): Promise<Summary> {
  await using stack = new AsyncDisposableStack();
  const violations = new Violations(say);
  let hungStarts = 0;
  const scene = await startScene(stack, (name, printed) => {
    hungStarts++;
    say(`${name} has not come up in a minute, and is started again; it printed: ${printed}`);
  });
  const members = [...scene.controls, ...scene.proxies];
  const before = await quietUse(members);
  say('everything is ready');

  const journal = new Journal();
  const losses = new RedisLosses();
  const lives = new ProxyLives();
  const terms = new Terms(violations);
  const epochs = stack.use(new Epochs(scene.redis));
  const calls = new ApiCalls(scene.controls);
  let stage: Stage | undefined;
  const operators = Object.values(QUEUES).map(
    (queue, i) =>
      new Operator({
        queue,
        scene,
        calls,
        epochs,
        terms,
        lives,
        losses,
        journal,
        violations,
        random: seeded(seed + i + 1),
        mayBegin: () => stage?.laneGone !== true,
      }),
  );
  stage = { scene, journal, lives, losses, operator: operators[0]!, laneGone: false };

  let excused = 0;
  const failed: Dispatch[] = [];
  const direct = new DirectProducers(scene.proxies, (dispatch) => {
    for (const { window } of operators[0]!.windows) window.note(dispatch);
    if (dispatch.status === 0 || dispatch.code !== undefined) failed.push(dispatch);
  });
  const queued = [QUEUES.lists, QUEUES.streams].map(
    (queue) => new QueueProducers(queue, scene.proxies, violations),
  );
  const watch = new RevisionWatch(scene.proxies, violations);

  const beganAt = performance.now();
  const plan = planFaults(seeded(seed), seconds * 1000);
  const followTrack = async (track: Track): Promise<void> => {
    for (const fault of plan.filter((planned) => planned.track === track)) {
      await delay(Math.max(0, beganAt + fault.atMs - performance.now()));
      if (performance.now() - beganAt > seconds * 1000) return;
      say(`${((performance.now() - beganAt) / 1000).toFixed(1)} s: ${fault.kind} (${fault.forMs} ms)`);
      await inflict(fault, stage);
    }
  };
  await Promise.all((Object.keys(FAULTS) as Track[]).map(followTrack));
  const lastedS = Math.round((performance.now() - beganAt) / 1000);
  say('the last fault is mended');

  await Promise.all(operators.map((operator) => operator.stop()));
  await direct.stop();
  await Promise.all(queued.map((producers) => producers.stop()));
  for (const { window } of operators.flatMap(({ windows }) => windows)) window.close();
  await watch[Symbol.asyncDispose]();
  say('the load has ended');

  const jobs = queued.flatMap((producers) => producers.jobs);
  const executions = () => scene.workers.flatMap(({ process }) => process.executions());
  await comesToPass(() => missing(jobs, executions(), losses).waiting.length === 0);
  say('the lanes are empty');
  let missingYet: string | undefined;
  const isReady = async (): Promise<boolean> => {
    missingYet = await notReady(scene);
    return missingYet === undefined;
  };
  if (!(await comesToPass(isReady))) violations.add('everything is ready again', missingYet ?? 'no answer');
  say('everything is ready again');
  if (!(await comesToPass(() => areSaved(scene.proxies))))
    violations.add('the last good routes are saved', 'they are not');

  // Judged now that every trouble has its end.
  for (const dispatch of failed) {
    if (isExcused(dispatch, journal)) excused++;
    else violations.add('no dispatch fails while a worker lives', JSON.stringify(dispatch));
  }
  const all = executions();
  for (const { window, isKept } of operators.flatMap(({ windows }) => windows))
    if (isKept) window.judge(violations, jobs, all);
  const termCount = terms.judge(scene.controls);
  const counted = checkJobs(jobs, all, { losses, journal, violations });

  let after = await quietUse(members);
  await comesToPass(async () => {
    if (aboveBaseline(before, after).length === 0) return true;
    after = await quietUse(members);
    return false;
  });
  for (const what of aboveBaseline(before, after)) violations.add('memory and sockets return', what);

  const deployments: Record<string, number> = {};
  for (const { counts } of operators)
    for (const [what, count] of Object.entries(counts)) deployments[what] = (deployments[what] ?? 0) + count;
  return {
    seed,
    seconds: lastedS,
    dispatches: { sent: direct.sent, excused },
    jobs: { ...counted, repeats: queued.reduce((sum, { repeats }) => sum + repeats, 0) },
    deployments,
    api: { calls: calls.made, repeated: calls.repeated },
    epochs: epochs.count,
    terms: termCount,
    looks: watch.looks,
    hungStarts,
    faults: journal.counts(),
    before,
    after,
    violations: violations.lines,
  };
}
