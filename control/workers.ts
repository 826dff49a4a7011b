import type { Clock } from '../src/core/clock.ts';
import { LanewiseError } from '../src/core/errors.ts';
import type { Lane } from '../src/core/lane.ts';
import { withActivity } from '../src/core/worker-life.ts';
import type { Worker, WorkerMetrics, WorkerStatus } from '../src/core/worker.ts';
import type { Logger } from '../src/runtime/log.ts';
import type { PageRange, Store, WorkerPage } from '../src/runtime/store/store.ts';
import type { Credential } from './credentials.ts';
import { definedOnly } from './defined-only.ts';
import { repeat } from './repeat.ts';
import { registered, reported, type WorkerRequest } from '../src/core/worker-changes.ts';
import type { UrlVerdict } from './worker-url.ts';

/** The registry of workers, as callers of the API change it. */
export interface WorkerService {
  register(request: WorkerRequest, by: Credential): Promise<{ worker: Worker; created: boolean }>;
  setStatus(
    id: string,
    status: WorkerStatus,
    metrics: Partial<WorkerMetrics>,
    by: Credential,
  ): Promise<Worker>;
  remove(id: string, by: Credential): Promise<void>;
  list(filter: WorkerFilter): Promise<readonly Worker[]>;
  page(filter: WorkerFilter, page: PageRange): Promise<WorkerPage>;
}

interface WorkerFilter {
  readonly lane?: Lane;
  readonly queue?: string;
  readonly status?: WorkerStatus;
  readonly version?: string;
}

export interface WorkerServiceDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly checkUrl: (url: string) => Promise<UrlVerdict>;
}

export function createWorkerService({ store, clock, log, checkUrl }: WorkerServiceDeps): WorkerService {
  const get = async (id: string): Promise<Worker> => {
    const worker = await store.getWorker(id);
    if (worker !== undefined) return worker;
    throw new LanewiseError('WORKER_NOT_FOUND', 'There is no such worker', {
      details: { id: 'is not the id of a registered worker' },
    });
  };

  const withCheckedUrl = async (request: WorkerRequest): Promise<WorkerRequest> => {
    if (request.url === undefined) return request;
    const verdict = await checkUrl(request.url);
    if (verdict.kind === 'accepted') return { ...request, url: verdict.url };
    throw new LanewiseError('VALIDATION_FAILED', `The request is not valid: url ${verdict.problem}`, {
      details: { url: verdict.problem },
    });
  };

  /** As the proxies have seen them. */
  const seen = async (workers: readonly Worker[]): Promise<readonly Worker[]> => {
    const activity = await store.listActivity(workers.map(({ id }) => id));
    return workers.map((worker) => withActivity(worker, activity.get(worker.id)));
  };

  const select = async ({ queue, ...filter }: WorkerFilter): Promise<readonly Worker[]> => {
    const found = await store.listWorkers(definedOnly({ queue }));
    return found.filter((worker) => isSelected(worker, filter));
  };

  return {
    async register(request, by) {
      const checked = await withCheckedUrl(request);
      return repeat(async () => {
        const previous = await store.getWorker(checked.id);
        const worker = registered(checked, previous, clock.now());
        const { kind } = await store.saveWorker(worker, previous?.recordVersion ?? 0);
        if (kind === 'stale') return undefined;
        if (previous?.version !== worker.version || previous.url !== worker.url) {
          log.info({ worker: worker.id, version: worker.version, actor: by.name }, 'Worker registered');
        }
        return { worker, created: previous === undefined };
      });
    },
    async setStatus(id, status, metrics, by) {
      return repeat(async () => {
        const current = await get(id);
        const worker = reported(current, status, metrics, clock.now());
        const { kind } = await store.saveWorker(worker, current.recordVersion);
        if (kind === 'stale') return undefined;
        if (current.status !== status)
          log.info({ worker: id, status, actor: by.name }, 'Worker status changed');
        return worker;
      });
    },
    async remove(id, by) {
      await repeat(async () => {
        const { recordVersion } = await get(id);
        const { kind } = await store.removeWorker(id, recordVersion);
        if (kind === 'stale') return undefined;
        log.info({ worker: id, actor: by.name }, 'Worker removed');
        return true;
      });
    },
    list: async (filter) => seen(await select(filter)),
    async page(filter, page) {
      const { total, workers } = isForStore(filter)
        ? await store.pageWorkers(filter, page)
        : partOf(await select(filter), page);
      return { total, workers: await seen(workers) };
    },
  };
}

/** The store finds the workers of a queue; whatever else is asked for is looked for among all of those. */
function isForStore({ lane, status, version }: WorkerFilter): boolean {
  return lane === undefined && status === undefined && version === undefined;
}

function partOf(workers: readonly Worker[], { offset, limit }: PageRange): WorkerPage {
  return { total: workers.length, workers: workers.slice(offset, offset + limit) };
}

function isSelected(worker: Worker, { lane, status, version }: Omit<WorkerFilter, 'queue'>): boolean {
  return (
    (lane === undefined || worker.lane === lane) &&
    (status === undefined || worker.status === status) &&
    (version === undefined || worker.version === version)
  );
}
