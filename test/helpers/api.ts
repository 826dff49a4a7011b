import { createConformance, type Conformance } from '../control/conformance.ts';
import { readApiDocument } from '../docs/api-document.ts';
import { CALL_MS_MAX } from './patience.ts';

/** The REST API over a socket, as an operator's script would call it. */

export interface Routing {
  readonly revision: number;
  readonly proxies: number | null;
  readonly applied: number | null;
}

/** As it was parsed. Who looks into a field says what is in it. */
export type JsonObject = Readonly<Record<string, unknown>>;

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: JsonObject | undefined;
}

export interface ToldEvent {
  readonly type: string;
  readonly message: string;
  readonly timestamp: string;
  readonly actor: string;
  readonly data: JsonObject;
}

export interface WorkerRegistration {
  readonly id: string;
  readonly version: string;
  readonly url: string;
  readonly lane?: 'stable' | 'canary';
  readonly queue?: string;
}

export const QUEUE = 'payment-processing';

const BASE_PATH = '/api/v1/canary';

let conformance: Promise<Conformance> | undefined;

/** What running processes answer is held against the description of the API, too. */
async function check(method: string, path: string, answer: ApiAnswer): Promise<void> {
  conformance ??= readApiDocument().then(createConformance);
  (await conformance).check(method, path, answer);
}

export class Api {
  readonly url: string;
  readonly token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.token = token;
  }

  async call(method: string, path: string, body?: object): Promise<ApiAnswer> {
    const response = await fetch(`${this.url}${BASE_PATH}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_MS_MAX),
    });
    const text = await response.text();
    const answer = {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : (JSON.parse(text) as JsonObject),
    };
    await check(method, `${BASE_PATH}${path}`, answer);
    return answer;
  }

  /** The body of an answer that must be a success; empty where there is none. */
  async done(method: string, path: string, body?: object): Promise<JsonObject> {
    const answer = await this.call(method, path, body);
    if (answer.status < 300) return answer.body ?? {};
    throw new Error(`${method} ${path} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  async register({ queue = QUEUE, ...worker }: WorkerRegistration): Promise<void> {
    await this.done('POST', '/workers', { ...worker, queues: [queue] });
  }

  /** @returns its id */
  async createDeployment(stableVersion: string, canaryVersion: string, more: object = {}): Promise<string> {
    const { id } = await this.done('POST', '/deployments', {
      queue_name: QUEUE,
      stable_version: stableVersion,
      canary_version: canaryVersion,
      routing_strategy: 'hash_ring',
      ...more,
    });
    return id as string;
  }

  async setPercentage(id: string, percentage: number): Promise<Routing> {
    return (await this.done('PUT', `/deployments/${id}/percentage`, { percentage })).routing as Routing;
  }

  async promote(id: string): Promise<Routing> {
    return (await this.done('POST', `/deployments/${id}/promote`)).routing as Routing;
  }

  async rollBack(id: string): Promise<Routing> {
    return (await this.done('POST', `/deployments/${id}/rollback`, { reason: 'a test' })).routing as Routing;
  }

  /** Newest first. */
  async events(id: string): Promise<readonly ToldEvent[]> {
    return (await this.done('GET', `/deployments/${id}/events`)).events as readonly ToldEvent[];
  }

  async routing(id: string): Promise<Routing> {
    return (await this.done('GET', `/deployments/${id}`)).routing as Routing;
  }
}
