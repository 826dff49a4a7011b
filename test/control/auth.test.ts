import { describe, expect, test } from 'vitest';
import { BASE_PATH } from '../../control/app.ts';
import { created, MINIMAL, openControl, SECRETS } from './harness.ts';

describe('who asks', () => {
  test.each([
    ['Authorization: Bearer', { authorization: `Bearer ${SECRETS.viewer}` }],
    ['the scheme in other letters', { authorization: `bearer ${SECRETS.viewer}` }],
    ['X-API-Key', { 'x-api-key': SECRETS.viewer }],
    ['X-API-Key beside another scheme', { authorization: 'Basic eDp5', 'x-api-key': SECRETS.viewer }],
  ])('is known by %s', async (_name, headers) => {
    const control = await openControl();
    expect((await control.fetch(`${BASE_PATH}/deployments`, { headers })).status).toBe(200);
  });

  test.each<[string, Record<string, string>]>([
    ['no token', {}],
    ['an unknown token', { authorization: 'Bearer guess' }],
    ['an unknown key', { 'x-api-key': 'guess' }],
    ['an empty token', { authorization: 'Bearer ' }],
    ['an empty key', { 'x-api-key': '' }],
    ['another scheme', { authorization: `Basic ${SECRETS.admin}` }],
    ['a wrong token beside a right key', { authorization: 'Bearer guess', 'x-api-key': SECRETS.admin }],
    ['a token of a megabyte', { authorization: `Bearer ${'x'.repeat(1_000_000)}` }],
  ])('is not known by %s', async (_name, headers) => {
    const control = await openControl();
    for (const path of ['/deployments', '/deployments/x/promote', '/nothing/at/all']) {
      const answer = await control.fetch(`${BASE_PATH}${path}`, { headers });
      expect(answer).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="lanewise"');
      expect(answer.body.details).toHaveProperty('authorization');
    }
  });
});

describe('what each role may do', () => {
  const READ = [
    ['GET', '/deployments', undefined],
    ['GET', '/deployments/{id}', undefined],
    ['GET', '/deployments/{id}/events', undefined],
    ['GET', '/workers', undefined],
    ['GET', '/config/profiles', undefined],
  ] as const;
  const REPORT = [
    ['POST', '/workers', { id: 'w', version: 'v1', queues: ['q'] }],
    ['PUT', '/workers/w/status', { status: 'healthy' }],
  ] as const;
  const OPERATE = [
    ['PUT', '/deployments/{id}/percentage', { percentage: 5 }],
    ['POST', '/deployments/{id}/pause', undefined],
    ['POST', '/deployments/{id}/resume', undefined],
    ['POST', '/deployments/{id}/promote', undefined],
    ['DELETE', '/deployments/{id}', undefined],
    ['POST', '/deployments', { ...MINIMAL, queue_name: 'other' }],
    ['DELETE', '/workers/w', undefined],
  ] as const;

  test.each([
    ['viewer', READ, [...REPORT, ...OPERATE]],
    ['worker', REPORT, [...READ, ...OPERATE]],
    ['operator', [...READ, ...REPORT, ...OPERATE], []],
    ['admin', [...READ, ...REPORT, ...OPERATE], []],
  ] as const)('%s', async (who, allowed, refused) => {
    const control = await openControl();
    const id = await created(control);
    for (const [method, path, body] of refused) {
      const answer = await control.call(method, path.replace('{id}', id), body, who);
      expect(answer).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
      expect(answer.body.details.role).toMatch(new RegExp(`^must be one of .*, is ${who}$`));
    }
    for (const [method, path, body] of allowed) {
      const answer = await control.call(method, path.replace('{id}', id), body, who);
      expect([method, path, answer.status < 300]).toEqual([method, path, true]);
    }
  });

  test('a role is asked before the body is read', async () => {
    const control = await openControl();
    const answer = await control.call('POST', '/deployments', '{broken', 'viewer');
    expect(answer.status).toBe(403);
  });
});

describe('a credential of a tenant', () => {
  test('sees its own deployments only', async () => {
    const control = await openControl();
    const theirs = await created(control, { tenant_id: 'acme' });
    const others = await created(control, { tenant_id: 'umbrella' });
    const everybodys = await created(control);

    const { body } = await control.call('GET', '/deployments', undefined, 'acme');
    expect(body.deployments.map((d: { id: string }) => d.id)).toEqual([theirs]);
    expect((await control.call('GET', '/deployments?tenant_id=umbrella', undefined, 'acme')).body.count).toBe(
      0,
    );
    expect((await control.call('GET', `/deployments/${theirs}`, undefined, 'acme')).status).toBe(200);

    for (const id of [others, everybodys]) {
      for (const [method, action, request] of [
        ['GET', '', undefined],
        ['GET', '/events', undefined],
        ['PUT', '/percentage', { percentage: 100 }],
        ['POST', '/promote', undefined],
        ['POST', '/rollback', undefined],
        ['POST', '/pause', undefined],
        ['DELETE', '', undefined],
      ] as const) {
        const answer = await control.call(method, `/deployments/${id}${action}`, request, 'acme');
        expect(answer).toMatchObject({ status: 404, body: { code: 'DEPLOYMENT_NOT_FOUND' } });
      }
      expect((await control.call('GET', `/deployments/${id}`)).body).toMatchObject({
        status: 'active',
        current_percent: 0,
      });
    }
  });

  test('creates them for its tenant and for no other', async () => {
    const control = await openControl();
    const own = await control.call('POST', '/deployments', MINIMAL, 'acme');
    expect(own).toMatchObject({ status: 201, body: { tenant_id: 'acme', created_by: 'acme-ops' } });
    const other = await control.call('POST', '/deployments', { ...MINIMAL, tenant_id: 'umbrella' }, 'acme');
    expect(other).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect(other.body.details).toHaveProperty('tenant_id');
  });

  test('does not change workers, which serve every tenant', async () => {
    const control = await openControl();
    await control.call('POST', '/workers', { id: 'w', version: 'v1', queues: ['q'] });
    for (const [method, path, body] of [
      ['POST', '/workers', { id: 'mine', version: 'v1', queues: ['q'] }],
      ['PUT', '/workers/w/status', { status: 'unhealthy' }],
      ['DELETE', '/workers/w', undefined],
    ] as const) {
      expect((await control.call(method, path, body, 'acme')).status).toBe(403);
    }
    const { body } = await control.call('GET', '/workers', undefined, 'acme');
    expect(body.workers).toMatchObject([{ id: 'w', status: 'healthy' }]);
  });
});
