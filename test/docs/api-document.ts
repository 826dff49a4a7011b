import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DOCUMENTED_PROFILES } from '../../config/profiles.ts';
import { createControlPlane } from '../../control/app.ts';
import { createCredentialStore } from '../../control/credentials.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { openEmbeddedStore } from '../../src/runtime/store/sqlite/embedded-store.ts';

// OpenAPI is what it is; the pages made from it read the parts that they are about.
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

/** `/openapi.json`, as a control plane without any settings answers it. */
export async function readApiDocument(): Promise<Json> {
  await using opened = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'lanewise-docs-'));
  opened.defer(() => rm(dataDir, { recursive: true, force: true }));
  const store = openEmbeddedStore({ dataDir, clock: systemClock });
  opened.defer(() => store.close());
  const { app } = createControlPlane({
    store,
    clock: systemClock,
    log: createLog('silent'),
    credentials: createCredentialStore([]),
    maxActiveDeployments: 1,
    propagationWaitMs: 0,
    workerUrlAllow: [],
    strategyOf: () => undefined,
    profiles: DOCUMENTED_PROFILES,
    judgeAlpha: 0.05,
    version: 'any',
  });
  return (await app.request('/openapi.json')).json();
}
