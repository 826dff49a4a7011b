import { Agent, request } from 'undici';
import { BASE_PATH } from '../../../control/app.ts';
import type { Times } from './figures.ts';

/** Calls of the API over one connection, and how long they take. */

interface Routing {
  readonly revision: number;
  readonly proxies: number;
  readonly applied: number;
}

export interface Answer {
  readonly id?: string;
  readonly routing?: Routing;
}

const UNAVAILABLE_MAX = 10;

export class ApiCalls implements AsyncDisposable {
  readonly #url: string;
  readonly #token: string;
  readonly #agent = new Agent({ connections: 4 });
  readonly #times = new Map<string, number[]>();
  /** Answers that the store was away, which on a machine that is too busy it seems to be; those calls are made again. */
  unavailable = 0;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async call(name: string, method: string, path: string, body?: object): Promise<Answer> {
    return JSON.parse(await this.#timed(name, method, `${BASE_PATH}${path}`, body)) as Answer;
  }

  async scrape(): Promise<void> {
    await this.#timed('scrape of /metrics', 'GET', '/metrics');
  }

  async #timed(name: string, method: string, path: string, body?: object): Promise<string> {
    const start = performance.now();
    const answer = await request(`${this.#url}${path}`, {
      dispatcher: this.#agent,
      method: method as 'GET',
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    const ms = performance.now() - start;
    if (answer.statusCode === 503 && this.unavailable++ < UNAVAILABLE_MAX)
      return this.#timed(name, method, path, body);
    if (answer.statusCode >= 300) throw new Error(`${name} was answered ${answer.statusCode}: ${text}`);
    const times = this.#times.get(name);
    if (times === undefined) this.#times.set(name, [ms]);
    else times.push(ms);
    return text;
  }

  get times(): Readonly<Record<string, Times>> {
    return Object.fromEntries([...this.#times].map(([name, times]) => [name, timesOf(times)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

export function timesOf(values: readonly number[]): Times {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  return { p50: at(0.5), p99: at(0.99) };
}
