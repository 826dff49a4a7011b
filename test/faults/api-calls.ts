import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonObject } from '../helpers/api.ts';
import { FLEET_TOKEN } from '../helpers/system.ts';
import type { ControlMember } from './member.ts';

/** An operator's calls. Any instance serves any call, so one that doesn't answer is asked no further: another is. */

export interface Answer {
  readonly status: number;
  /** Empty where there is none. */
  readonly body: JsonObject;
}

const CALL_MS_MAX = 5000;
const AGAIN_MS = 200;

export class ApiCalls {
  readonly #controls: readonly ControlMember[];
  #turn = 0;
  made = 0;
  /** For 5xx or no answer. */
  repeated = 0;

  constructor(controls: readonly ControlMember[]) {
    this.#controls = controls;
  }

  /** Until it is answered by somebody whose store is there. @returns the answer, and when that call was sent */
  async call(method: string, path: string, body?: object): Promise<Answer & { readonly sentAt: number }> {
    // The same for each repetition, whichever instance gets it.
    const key = randomUUID();
    for (;;) {
      const sentAt = performance.now();
      const answer = await this.#once(method, path, key, body);
      this.made++;
      if (answer !== undefined && answer.status < 500 && answer.body.code !== 'REQUEST_IN_PROGRESS')
        return { ...answer, sentAt };
      this.repeated++;
      await delay(AGAIN_MS);
    }
  }

  async #once(method: string, path: string, key: string, body?: object): Promise<Answer | undefined> {
    const { process } = this.#controls[this.#turn++ % this.#controls.length]!;
    try {
      const answer = await fetch(`${process.api.url}/api/v1/canary${path}`, {
        method,
        headers: {
          authorization: `Bearer ${FLEET_TOKEN}`,
          // An instance that was stopped may do, when it goes on, what another has been asked for since.
          ...(path === '/deployments' && method === 'POST' && { 'idempotency-key': key }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(CALL_MS_MAX),
      });
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as JsonObject) };
    } catch {
      return undefined;
    }
  }
}
