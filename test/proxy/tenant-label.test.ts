import { expect, it } from 'vitest';
import { Rig } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

/** Two jobs of a tenant with a deployment of its own, one of a tenant without, and one of nobody's. */
async function countsOf(settings: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, number>> {
  await using rig = await Rig.start({ settings });
  await using worker = await TestWorker.start('v1');
  await rig.register({ url: worker.url, version: 'v1' });
  await rig.createDeployment({ tenant: 'acme' });
  const tenants = ['acme', 'acme', 'other', undefined];
  await rig.sendAll(
    tenants.map((tenant) => ({ headers: tenant === undefined ? {} : { 'X-Tenant-Id': tenant } })),
  );
  const counts = await rig.metric('canary_jobs_total');
  return new Map([...counts].filter(([, value]) => value > 0));
}

const JOBS = 'queue="jobs",lane="stable",version="v1"';

it('jobs of all tenants are counted together', async () => {
  expect(await countsOf({})).toEqual(new Map([[`${JOBS},outcome="success"`, 4]]));
});

it('jobs of tenants with a route of their own are counted apart, with metrics.tenant_label', async () => {
  expect(await countsOf({ LANEWISE_METRICS_TENANT_LABEL: 'true' })).toEqual(
    new Map([
      [`${JOBS},tenant="acme",outcome="success"`, 2],
      [`${JOBS},tenant="",outcome="success"`, 2],
    ]),
  );
});
