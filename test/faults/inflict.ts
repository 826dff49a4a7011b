import { setTimeout as delay } from 'node:timers/promises';
import { fillDisk } from '../helpers/full-disk.ts';
import type { ProxyLives } from './invariants/rollbacks.ts';
import type { Journal } from './journal.ts';
import type { ControlMember, Member, ProxyMember } from './member.ts';
import type { Operator } from './operator.ts';
import type { PlannedFault } from './plan.ts';
import { inflictOnRedis, type RedisLosses } from './redis-faults.ts';
import type { Weather } from './relay.ts';
import { QUEUES, type Scene, type SceneWorker } from './scene.ts';

/** Does what the plan says, and mends it. A fault is over when all that it could have broken has been heard of. */

export interface Stage {
  readonly scene: Scene;
  readonly journal: Journal;
  readonly lives: ProxyLives;
  readonly losses: RedisLosses;
  /** Of the queue `direct`. */
  readonly operator: Operator;
  /** While the workers of a whole version are gone. */
  laneGone: boolean;
}

type Doing = () => Promise<void>;

export async function inflict(fault: PlannedFault, stage: Stage): Promise<void> {
  const { scene } = stage;
  const { kind, target } = fault;
  const worker = scene.workers[target % scene.workers.length]!;
  const proxy = scene.proxies[target % scene.proxies.length]!;
  const control = scene.controls[target % scene.controls.length]!;
  const members = [...scene.controls, ...scene.proxies];
  const member = members[target % members.length]!;
  switch (kind) {
    case 'kill a worker':
      return during(
        fault,
        stage,
        [worker.name],
        () => worker.process.kill(),
        () => worker.process.start(),
      );
    case 'stop a worker':
      return during(
        fault,
        stage,
        [worker.name],
        async () => worker.process.signal('SIGSTOP'),
        async () => worker.process.signal('SIGCONT'),
      );
    case 'kill a whole lane':
      return killLane(fault, stage);
    case 'cut a worker off':
      return onWorkerWire(fault, stage, worker, 'cut');
    case 'half-open to a worker':
      return onWorkerWire(fault, stage, worker, 'hole');
    case 'one way to a worker':
      return onWorkerWire(fault, stage, worker, 'mute');
    case 'one way from a worker':
      return onWorkerWire(fault, stage, worker, 'deaf');
    case 'resets to a worker':
      return during(fault, stage, [`${worker.name}~proxies`], async () => worker.wire.reset(), nothing);
    case 'slow to a worker':
      return onWorkerWire(fault, stage, worker, 'slow');
    case 'trickle to a worker':
      return onWorkerWire(fault, stage, worker, 'trickle');

    case 'kill a proxy':
      return endProxy(fault, stage, proxy, 'SIGKILL');
    case 'restart a proxy':
      return endProxy(fault, stage, proxy, 'SIGTERM');
    case 'stop a proxy':
      return freeze(fault, stage, [proxy]);
    case 'cut a proxy off its producers':
      return onProducersWire(fault, stage, proxy, 'cut');
    case 'half-open to a proxy':
      return onProducersWire(fault, stage, proxy, 'hole');
    case 'resets to a proxy':
      return during(fault, stage, [`${proxy.name}~producers`], async () => proxy.producers.reset(), nothing);
    case 'slow to a proxy':
      return onProducersWire(fault, stage, proxy, 'slow');
    case 'trickle to a proxy':
      return onProducersWire(fault, stage, proxy, 'trickle');
    case 'full disk of a proxy': {
      const disk = await fillDisk(proxy.process.dataDir);
      return during(fault, stage, [`${proxy.name}~disk`], nothing, () => disk.free());
    }
    case 'clock of a proxy an hour ahead':
      return moveClock(fault, stage, proxy, 3600);
    case 'clock of a proxy an hour behind':
      return moveClock(fault, stage, proxy, -3600);

    case 'kill a control plane':
      return endControls(fault, stage, [control], 'SIGKILL');
    case 'restart a control plane':
      return endControls(fault, stage, [control], 'SIGTERM');
    case 'kill both control planes':
      return endControls(fault, stage, scene.controls, 'SIGKILL');
    case 'stop a control plane':
      return freeze(fault, stage, [control]);
    case 'clock of a control plane an hour ahead':
      return moveClock(fault, stage, control, 3600);
    case 'clock of a control plane an hour behind':
      return moveClock(fault, stage, control, -3600);

    case 'cut off Redis':
      return onRedisWire(fault, stage, member, 'cut');
    case 'half-open to Redis':
      return onRedisWire(fault, stage, member, 'hole');
    case 'one way to Redis':
      return onRedisWire(fault, stage, member, 'mute');
    case 'one way from Redis':
      return onRedisWire(fault, stage, member, 'deaf');
    case 'resets to Redis':
      return during(fault, stage, [`${member.name}~redis`], async () => member.resetWire(), nothing);
    case 'slow to Redis':
      return onRedisWire(fault, stage, member, 'slow');
    case 'trickle to Redis':
      return onRedisWire(fault, stage, member, 'trickle');

    default:
      return inflictOnRedis({ ...fault, kind }, stage);
  }
}

const nothing: Doing = () => Promise.resolve();

async function during(fault: PlannedFault, stage: Stage, parts: readonly string[], harm: Doing, mend: Doing) {
  const end = stage.journal.begin(fault.kind, parts);
  await harm();
  await delay(fault.forMs);
  await mend();
  await proxiesHaveLooked(stage.scene.proxies);
  end();
}

/**
 * Every proxy that lives has been through its sockets since: it has answered something that was asked afterwards. So it
 * knows of all that was broken before.
 */
async function proxiesHaveLooked(proxies: readonly ProxyMember[]): Promise<void> {
  await Promise.all(proxies.map(({ process }) => process.face.readiness().catch(() => undefined)));
}

function onWorkerWire(fault: PlannedFault, stage: Stage, { name, wire }: SceneWorker, weather: Weather) {
  const parts = [`${name}~proxies`];
  return during(
    fault,
    stage,
    parts,
    () => wire.set(weather),
    () => wire.set('clear'),
  );
}

function onProducersWire(
  fault: PlannedFault,
  stage: Stage,
  { name, producers }: ProxyMember,
  weather: Weather,
) {
  const parts = [`${name}~producers`];
  return during(
    fault,
    stage,
    parts,
    () => producers.set(weather),
    () => producers.set('clear'),
  );
}

function onRedisWire(fault: PlannedFault, stage: Stage, member: Member, weather: Weather) {
  const parts = [`${member.name}~redis`];
  return during(
    fault,
    stage,
    parts,
    () => member.wire(weather),
    () => member.wire('clear'),
  );
}

function freeze(fault: PlannedFault, stage: Stage, members: readonly Member[]) {
  const all =
    (signal: 'SIGSTOP' | 'SIGCONT'): Doing =>
    async () => {
      for (const member of members) member.signal(signal);
    };
  const parts = members.map(({ name }) => name);
  return during(fault, stage, parts, all('SIGSTOP'), all('SIGCONT'));
}

function endProxy(fault: PlannedFault, stage: Stage, proxy: ProxyMember, signal: 'SIGKILL' | 'SIGTERM') {
  return during(
    fault,
    stage,
    [proxy.name],
    async () => {
      stage.lives.ended(proxy.name);
      await proxy.end(signal);
    },
    async () => {
      await proxy.start();
      stage.lives.started();
    },
  );
}

function endControls(
  fault: PlannedFault,
  stage: Stage,
  controls: readonly ControlMember[],
  signal: 'SIGKILL' | 'SIGTERM',
) {
  return during(
    fault,
    stage,
    controls.map(({ name }) => name),
    async () => void (await Promise.all(controls.map((control) => control.end(signal)))),
    async () => void (await Promise.all(controls.map((control) => control.start()))),
  );
}

async function moveClock(fault: PlannedFault, stage: Stage, { name, clock }: Member, seconds: number) {
  // Not installed here; the summary says how often each fault happened.
  if (clock === undefined) return;
  const parts = [`${name}~clock`];
  await during(
    fault,
    stage,
    parts,
    () => clock.set(seconds),
    () => clock.set(0),
  );
}

/** All workers of a version that isn't the stable one: their jobs go to the other one. */
async function killLane(fault: PlannedFault, stage: Stage): Promise<void> {
  const { scene, operator } = stage;
  stage.laneGone = true;
  try {
    await operator.isNotBeginning();
    const version = await dispensable(scene);
    if (version === undefined) return;
    const lane = scene.workers.filter((worker) => worker.version === version);
    await during(
      fault,
      stage,
      lane.map(({ name }) => name),
      async () => void (await Promise.all(lane.map(({ process }) => process.kill()))),
      async () => void (await Promise.all(lane.map(({ process }) => process.start()))),
    );
  } finally {
    stage.laneGone = false;
  }
}

/** A version without which every proxy has stable workers of the direct queue, or superseded ones as their last resort. */
async function dispensable({ proxies, workers }: Scene): Promise<string | undefined> {
  const without = new Set(workers.map(({ version }) => version));
  for (const { process } of proxies) {
    const routes = await process.face.routes().catch(() => undefined);
    const lanes = routes?.queues.find(({ queue }) => queue === QUEUES.direct)?.lanes;
    if (lanes === undefined) return undefined;
    const kept = new Set([...lanes.stable, ...lanes.reserve].map(({ worker }) => worker));
    for (const version of without) {
      const others = workers.filter((worker) => worker.version !== version);
      if (!others.every(({ name }) => kept.has(name))) without.delete(version);
    }
  }
  return [...without][0];
}
