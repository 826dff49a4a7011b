import { toBullmqId, toBullmqJob, type BullmqOptions } from '../../../core/bullmq-job.ts';
import type { LaneQueue } from '../../../core/lane-keys.ts';
import { LANES, type Lane } from '../../../core/lane.ts';
import type { QueueJob } from '../../../core/queue-job.ts';
import {
  LEDGER_TTL_MS_DEFAULT,
  type EnqueuedJob,
  type EnqueueOptions,
  type EnqueueResult,
} from '../lane-store.ts';
import { damaged } from '../records.ts';
import type { LaneCalls } from '../redis/lane-calls.ts';
import { withdrawJobs } from './bullmq-moves.ts';
import { resumeCanary } from './bullmq-pause.ts';
import type { BullmqLanes, BullmqQueues } from './bullmq-queues.ts';

/**
 * Jobs to BullMQ, in exactly one lane each. Fence and ledger are ours, the queue is BullMQ's, and no step does both; so
 * it is three, and each may be the last before a crash:
 *
 * 1. *Note*: the fences are checked, and of every new job is written that it is about to be added, where to, and by which
 *    routes. A crash after it: nobody was answered; the producer's retry finds the note and no job, and adds it.
 * 2. *Add*, by BullMQ's own `addBulk` with the job's id. A crash after it: the retry finds the note and the job.
 * 3. *Confirm*: the fences are checked again, and the ledger says from now on that the job is known.
 *
 * So the ledger never knows a job that BullMQ hasn't got (written first, a crash would lose the job: the retry would be told
 * that it is known), and a retry after the confirmation never adds again, also where the job was executed and forgotten
 * long since (`removeOnComplete`), when its id means nothing to BullMQ any more. What is left is a crash between 2 and 3 of a
 * job that is executed and forgotten before its producer asks again: that one runs twice. At least once.
 *
 * A fence that was raised between 1 and 3 may have found the canary's queue empty before the job got there. So what was
 * added to it in spite of a fence goes to stable, unless a worker has it already.
 */
export interface BullmqEnqueueDeps {
  readonly calls: LaneCalls;
  readonly queues: BullmqQueues;
  readonly jobOptionsOf: (queue: string) => BullmqOptions;
}

/** A job on its way: where to, and whether BullMQ has it. */
interface Entry {
  readonly job: QueueJob;
  readonly lane: Lane;
  /** It was found there: an earlier call had added it. */
  readonly isThere: boolean;
  /** It belongs to stable by now. */
  readonly isStray: boolean;
}

export async function enqueueJobs(
  deps: BullmqEnqueueDeps,
  queue: LaneQueue,
  jobs: readonly QueueJob[],
  options: EnqueueOptions,
): Promise<EnqueueResult> {
  const { epoch, revision } = options.routedBy;
  const ttl = String(Math.ceil(options.ledgerTtlMs ?? LEDGER_TTL_MS_DEFAULT));
  const call = new Enqueueing(deps, queue, [epoch, String(revision), ttl]);
  return call.run(jobs);
}

class Enqueueing {
  readonly #deps: BullmqEnqueueDeps;
  readonly #queue: LaneQueue;
  /** Epoch, revision, time that the ledger remembers. */
  readonly #head: readonly [string, string, string];
  /** By id. */
  readonly #settled = new Map<string, EnqueuedJob>();

  constructor(deps: BullmqEnqueueDeps, queue: LaneQueue, head: readonly [string, string, string]) {
    this.#deps = deps;
    this.#queue = queue;
    this.#head = head;
  }

  async run(jobs: readonly QueueJob[]): Promise<EnqueueResult> {
    const first = new Map<string, QueueJob>();
    for (const job of jobs) if (!first.has(job.id)) first.set(job.id, job);
    const notes = await this.#note([...first.values()]);
    if (notes === 'stale') return { kind: 'stale' };
    const open = notes.filter(({ job }) => !this.#settled.has(job.id));
    if (open.length > 0) await this.#deps.queues.with(this.#queue, (lanes) => this.#settle(lanes, open));
    return { kind: 'stored', jobs: jobs.map((job) => this.#answer(job)) };
  }

  #answer({ id }: QueueJob): EnqueuedJob {
    const settled = this.#settled.get(id);
    if (settled === undefined) throw damaged('answer of confirmJobs', 'a job is missing');
    // The same id may come again in the same call.
    this.#settled.set(id, { kind: 'known', lane: settled.lane });
    return settled;
  }

  async #note(jobs: readonly QueueJob[]): Promise<'stale' | readonly Note[]> {
    const args = jobs.flatMap(({ id, lane, tenant }) => [id, lane, tenant ?? '']);
    const reply = await this.#deps.calls.run('noteJobs', this.#queue, ...this.#head, ...args);
    if (reply.text() === 'stale') return 'stale';
    return jobs.map((job): Note => {
      const [state = '', lane = job.lane] = reply.text().split(' ');
      if (!isLane(lane)) throw damaged('ledger', `unknown lane ${lane}`);
      if (state === 'known') this.#settled.set(job.id, { kind: 'known', lane });
      return { job, state, lane };
    });
  }

  async #settle(lanes: BullmqLanes, notes: readonly Note[]): Promise<void> {
    const entries = await Promise.all(notes.map((note) => entryOf(lanes, note)));
    for (const lane of LANES) {
      const added = entries.filter((entry) => entry.lane === lane && !entry.isThere);
      if (added.length > 0) await lanes[lane].addBulk(added.map(({ job }) => this.#toBullmq(job)));
    }
    const strays = entries.filter(({ isStray }) => isStray);
    const placed = entries.filter(({ isStray }) => !isStray);
    const fenced = placed.length === 0 ? [] : await this.#confirm(lanes, placed);
    if (fenced.length + strays.length > 0) await this.#withdraw(lanes, [...fenced, ...strays]);
  }

  /** @returns those in the canary's queue against which a fence stands */
  async #confirm(lanes: BullmqLanes, entries: readonly Entry[]): Promise<readonly Entry[]> {
    const { calls } = this.#deps;
    const args = entries.flatMap(({ job, lane }) => [job.id, lane, job.tenant ?? '']);
    const reply = await calls.run('confirmJobs', this.#queue, ...this.#head, ...args);
    const pause = reply.text();
    const fenced: Entry[] = [];
    let isOpen = false;
    for (const entry of entries) {
      if (reply.text() === 'fenced') {
        fenced.push(entry);
        continue;
      }
      const { job, lane, isThere } = entry;
      this.#settled.set(job.id, { kind: isThere ? 'known' : 'stored', lane });
      isOpen ||= lane === 'canary';
    }
    if (pause !== '' && isOpen) await resumeCanary(calls, this.#queue, lanes.canary, pause);
    return fenced;
  }

  #toBullmq(job: QueueJob) {
    const { name, data, opts } = toBullmqJob(
      job,
      this.#queue.name,
      this.#deps.jobOptionsOf(this.#queue.name),
    );
    // What a producer may give was checked; BullMQ's types know no read-only fields.
    return { name, data, opts: { ...opts } as Record<string, unknown> };
  }

  async #withdraw(lanes: BullmqLanes, fenced: readonly Entry[]): Promise<void> {
    const { calls } = this.#deps;
    const ids = fenced.map(({ job }) => toBullmqId(job.id));
    const found = await withdrawJobs(calls, this.#queue, lanes, ids);
    const ledger = fenced.flatMap(({ job }, i) => [job.id, found[i]!]);
    await calls.run('settleJobs', this.#queue, this.#head[2], ...ledger);
    for (const [i, { job, isThere }] of fenced.entries())
      this.#settled.set(job.id, { kind: isThere ? 'known' : 'stored', lane: found[i]! });
  }
}

interface Note {
  readonly job: QueueJob;
  /** `known`, `new`, `adding` or `outdated`. */
  readonly state: string;
  /** Of the ledger or the note where there is one, else the job's own. */
  readonly lane: Lane;
}

/**
 * A job that was about to be added before is wherever it is by now: a drain may have moved it. If it is nowhere it goes
 * where it was to go then, so that two calls at the same time agree; or, if that route is fenced off, by its own.
 */
async function entryOf(lanes: BullmqLanes, { job, state, lane }: Note): Promise<Entry> {
  const wanted = state === 'outdated' ? job.lane : lane;
  const entry = { job, lane: wanted, isThere: false, isStray: false };
  if (state === 'new') return entry;
  const id = toBullmqId(job.id);
  for (const place of LANES) {
    if ((await lanes[place].getJob(id)) === undefined) continue;
    return { job, lane: place, isThere: true, isStray: place === 'canary' && wanted === 'stable' };
  }
  return entry;
}

function isLane(word: string): word is Lane {
  return (LANES as readonly string[]).includes(word);
}
