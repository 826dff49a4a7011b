import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { DOCUMENTED_PROFILES } from '../../config/profiles.ts';
import { URL_ALLOW_DEFAULT } from '../../config/schema.ts';
import { BASE_PATH, createControlPlane, type ControlApp } from '../../control/app.ts';
import { createCredentialStore } from '../../control/credentials.ts';
import type { DeploymentService } from '../../control/deployments.ts';
import type { ControlDeps } from '../../control/deps.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { openEmbeddedStore } from '../../src/runtime/store/sqlite/embedded-store.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import { createConformance, type Conformance } from './conformance.ts';

/** A control plane over a real embedded store, called without a socket. */

export const SECRETS = {
  admin: 'admin-secret',
  operator: 'operator-secret',
  viewer: 'viewer-secret',
  worker: 'worker-secret',
  acme: 'acme-secret',
} as const;

type Who = keyof typeof SECRETS | 'nobody';

// The tests of what an answer says; each reads the fields that it is about.
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

export interface Control {
  readonly app: ControlApp;
  readonly store: Store;
  readonly deployments: DeploymentService;
  /** A call under the base path; an object is sent as JSON. */
  call(method: string, path: string, body?: unknown, who?: Who): Promise<Answer>;
  /** Any request. */
  fetch(path: string, init?: RequestInit): Promise<Answer>;
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lanewise-control-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

let conformance: Promise<Conformance> | undefined;

/** Every answer of these tests is held against the description of the API, which is the same for all of them. */
function conformanceOf(app: ControlApp): Promise<Conformance> {
  conformance ??= (async () => createConformance(await (await app.request('/openapi.json')).json()))();
  return conformance;
}

export async function openControl(overrides: Partial<ControlDeps> = {}): Promise<Control> {
  const store =
    overrides.store ?? openEmbeddedStore({ dataDir: await temporaryDirectory(), clock: systemClock });
  onTestFinished(() => store.close());
  const { app, deployments } = createControlPlane({
    store,
    clock: systemClock,
    log: createLog('silent'),
    credentials: createCredentialStore([
      { name: 'root', role: 'admin', secret: SECRETS.admin },
      { name: 'ops', role: 'operator', secret: SECRETS.operator },
      { name: 'grafana', role: 'viewer', secret: SECRETS.viewer },
      { name: 'sidecar', role: 'worker', secret: SECRETS.worker },
      { name: 'acme-ops', role: 'operator', secret: SECRETS.acme, tenant: 'acme' },
    ]),
    maxActiveDeployments: 1000,
    propagationWaitMs: 1000,
    workerUrlAllow: URL_ALLOW_DEFAULT,
    strategyOf: () => undefined,
    profiles: DOCUMENTED_PROFILES,
    judgeAlpha: 0.05,
    version: '0.0.0-test',
    ...overrides,
  });
  const fetchAnswer: Control['fetch'] = async (path, init) => {
    const response = await app.request(path, init);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    const answer = {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    };
    (await conformanceOf(app)).check(init?.method ?? 'GET', path, answer);
    return answer;
  };
  return {
    app,
    store,
    deployments,
    fetch: fetchAnswer,
    call: (method, path, body, who = 'operator') =>
      fetchAnswer(`${BASE_PATH}${path}`, {
        method,
        headers: {
          ...(who !== 'nobody' && { authorization: `Bearer ${SECRETS[who]}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
  };
}

export const MINIMAL = {
  queue_name: 'payment-processing',
  stable_version: 'v1.2.0',
  canary_version: 'v1.3.0',
};

/** A deployment that is there. @returns its id */
export async function created(control: Control, body: object = {}): Promise<string> {
  const answer = await control.call('POST', '/deployments', { ...MINIMAL, ...body }, 'admin');
  if (answer.status !== 201) throw new Error(`not created: ${JSON.stringify(answer.body)}`);
  return answer.body.id as string;
}
