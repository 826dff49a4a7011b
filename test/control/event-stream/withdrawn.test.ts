import { expect, test } from 'vitest';
import { createCredentialStore, type Token } from '../../../control/credentials.ts';
import { created, SECRETS } from '../harness.ts';
import { HEADERS, percentages, setPercentage, startPlane, subscribe } from './clients.ts';

/** A stream is opened once and lasts for days; the token that opened it may not. */

const OPERATOR: Token = { name: 'ops', role: 'operator', secret: SECRETS.operator };
const ADMIN: Token = { name: 'root', role: 'admin', secret: SECRETS.admin };
const VIEWER: Token = { name: 'grafana', role: 'viewer', secret: SECRETS.viewer };

test('the streams of a token that is withdrawn are closed, and those of others go on', async () => {
  const credentials = createCredentialStore([OPERATOR, ADMIN, VIEWER]);
  const plane = await startPlane({ credentials });
  const id = await created(plane);
  const [viewer, again, operator] = await Promise.all([
    subscribe(plane, id),
    subscribe(plane, id),
    subscribe(plane, id, '', { headers: { 'x-api-key': SECRETS.operator } }),
  ]);
  credentials.replace([OPERATOR, ADMIN, { ...VIEWER, secret: 'another-one' }]);
  for (const client of [viewer, again])
    expect(await client.closed).toEqual({ code: 1008, reason: 'the token no longer counts' });
  await setPercentage(plane, id, 5);
  expect(percentages(await operator.kept(1))).toEqual([5]);
  expect(viewer.frames.filter(({ type }) => type === 'percentage_updated')).toEqual([]);
});

test('so are those of a token that may see less now', async () => {
  const credentials = createCredentialStore([ADMIN, VIEWER]);
  const plane = await startPlane({ credentials });
  const client = await subscribe(plane, await created(plane), '', { headers: HEADERS });
  credentials.replace([ADMIN, { ...VIEWER, tenant: 'acme' }]);
  expect((await client.closed).code).toBe(1008);
});
