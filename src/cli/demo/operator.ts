import { performance } from 'node:perf_hooks';
import type { DemoWorker } from './workers.ts';

/** The REST calls that an operator makes in the demo, as anybody could with curl. */

export interface Routing {
  readonly revision: number;
  readonly proxies: number;
  readonly applied: number;
}

interface Moved {
  readonly routing: Routing;
  /** From the call to the answer, which waits for the proxies. */
  readonly tookMs: number;
}

export interface Operator {
  register(queue: string, worker: DemoWorker, lane?: 'stable' | 'canary'): Promise<void>;
  /** @returns the deployment's id */
  create(queue: string, stableVersion: string, canaryVersion: string): Promise<string>;
  setPercentage(id: string, percentage: number): Promise<Moved>;
  promote(id: string): Promise<Moved>;
  /** Whether it is still open, and what happened to it last. */
  look(id: string): Promise<{ readonly isOpen: boolean; readonly lastEvent: string }>;
}

export function createOperator(controlUrl: string, token: string): Operator {
  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const answer = await fetch(`${controlUrl}/api/v1/canary${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`);
    return JSON.parse(text) as T;
  };
  const move = async (method: string, path: string, body?: object): Promise<Moved> => {
    const start = performance.now();
    const { routing } = await call<{ routing: Routing }>(method, path, body);
    return { routing, tookMs: performance.now() - start };
  };
  return {
    async register(queue, { id, version, url }, lane = 'stable') {
      await call('POST', '/workers', { id, version, lane, url, queues: [queue] });
    },
    async create(queue, stableVersion, canaryVersion) {
      const { id } = await call<{ id: string }>('POST', '/deployments', {
        queue_name: queue,
        stable_version: stableVersion,
        canary_version: canaryVersion,
        routing_strategy: 'hash_ring',
      });
      return id;
    },
    setPercentage: (id, percentage) => move('PUT', `/deployments/${id}/percentage`, { percentage }),
    promote: (id) => move('POST', `/deployments/${id}/promote`),
    async look(id) {
      const { status } = await call<{ status: string }>('GET', `/deployments/${id}`);
      const { events } = await call<{ events: { message: string }[] }>('GET', `/deployments/${id}/events`);
      return { isOpen: status === 'active', lastEvent: events[0]?.message ?? '' };
    },
  };
}
