import { setImmediate as turn } from 'node:timers/promises';
import type { Journal } from './journal.ts';
import type { ProxyMember } from './member.ts';
import { QUEUES } from './scene.ts';

/**
 * Producers of jobs that are answered by the worker at once. They send at each moment of a fixed rhythm, to one proxy
 * after the other, whether those live or not.
 */

export interface Dispatch {
  readonly proxy: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  /** 0: no answer. */
  readonly status: number;
  /** By which the proxy says that the answer is its own. */
  readonly code: string | undefined;
  /** That ran it, or that it broke on. */
  readonly worker: string | undefined;
  readonly version: string | undefined;
  /** The open deployment that decided. */
  readonly deployment: string | undefined;
  readonly problem: string;
}

const EVERY_MS = 20;

export class DirectProducers {
  readonly #proxies: readonly ProxyMember[];
  readonly #tell: (dispatch: Dispatch) => void;
  readonly #timer: NodeJS.Timeout;
  #sent = 0;
  #underWay = 0;

  constructor(proxies: readonly ProxyMember[], tell: (dispatch: Dispatch) => void) {
    this.#proxies = proxies;
    this.#tell = tell;
    this.#timer = setInterval(() => void this.#send(), EVERY_MS);
  }

  get sent(): number {
    return this.#sent;
  }

  /** Resolves when the last one has been answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#underWay > 0) await turn();
  }

  async #send(): Promise<void> {
    const job = ++this.#sent;
    const { name, face } = this.#proxies[job % this.#proxies.length]!;
    const sentAt = performance.now();
    this.#underWay++;
    try {
      const { status, headers, body } = await face.send({ 'x-job-id': `direct-${job}` }, QUEUES.direct);
      this.#tell({
        proxy: name,
        sentAt,
        answeredAt: performance.now(),
        status,
        code: headers['x-canary-error']?.toString(),
        worker: headers['x-canary-worker']?.toString() ?? /\bworker (\S+) (?:broke|did)/.exec(body)?.[1],
        version: headers['x-canary-version']?.toString(),
        deployment: headers['x-canary-deployment']?.toString(),
        problem: status === 200 ? '' : body,
      });
    } catch (error) {
      const answeredAt = performance.now();
      const none = {
        status: 0,
        code: undefined,
        worker: undefined,
        version: undefined,
        deployment: undefined,
      };
      this.#tell({ proxy: name, sentAt, answeredAt, ...none, problem: String(error) });
    } finally {
      this.#underWay--;
    }
  }
}

/** Parts whose trouble a producer would have without any proxy of ours. */
export function waysTo({ proxy }: Pick<Dispatch, 'proxy'>): readonly string[] {
  return [proxy, `${proxy}~producers`];
}

/** A job that the proxy was not there for, or that ended with the worker or the wire that it was on. */
export function isExcused(dispatch: Dispatch, journal: Journal): boolean {
  const { status, code, worker, sentAt, answeredAt } = dispatch;
  if (status === 0) return journal.was(waysTo(dispatch), sentAt, answeredAt);
  if (worker === undefined || (code !== 'WORKER_FAILED' && code !== 'WORKER_TIMEOUT')) return false;
  return journal.was([worker, `${worker}~proxies`], sentAt, answeredAt);
}
