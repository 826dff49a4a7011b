import { describe, expect, test } from 'vitest';
import { INSTANT } from './documented.ts';
import { created, MINIMAL, openControl } from './harness.ts';

const NOBODY_TO_WAIT_FOR = { revision: expect.any(Number) as number, proxies: 0, applied: 0 };

describe('moving a deployment', () => {
  test('a percentage is set, told and kept', async () => {
    const control = await openControl();
    const id = await created(control);
    const { status, body } = await control.call('PUT', `/deployments/${id}/percentage`, {
      percentage: 33.33,
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      percentage: 33.33,
      updated_at: INSTANT,
      routing: { revision: 2, proxies: 0, applied: 0 },
    });
    const now = await control.call('GET', `/deployments/${id}`);
    expect(now.body).toMatchObject({ current_percent: 33.33, target_percent: 33.33, status: 'active' });
    expect((await control.store.getRoute(MINIMAL.queue_name))?.split?.percentage).toBe(33.33);
  });

  test('a promotion completes it at 100 % and makes the canary version the stable one', async () => {
    const control = await openControl();
    const id = await created(control);
    const { status, body } = await control.call('POST', `/deployments/${id}/promote`);
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      message: 'Deployment promoted to 100%',
      timestamp: INSTANT,
      routing: NOBODY_TO_WAIT_FOR,
    });
    const now = await control.call('GET', `/deployments/${id}`);
    expect(now.body).toMatchObject({
      status: 'completed',
      current_percent: 100,
      target_percent: 100,
      completed_at: now.body.last_update,
    });
    expect(await control.store.getRoute(MINIMAL.queue_name)).toMatchObject({
      stableVersion: 'v1.3.0',
      superseded: ['v1.2.0'],
    });
  });

  test('a rollback fails it at 0 %, with its reason', async () => {
    const control = await openControl();
    const id = await created(control, { initial_percentage: 50 });
    const reason = 'High error rate detected in canary version';
    const { status, body } = await control.call('POST', `/deployments/${id}/rollback`, { reason });
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      message: `Deployment rolled back: ${reason}`,
      reason,
      timestamp: INSTANT,
      routing: NOBODY_TO_WAIT_FOR,
    });
    const now = await control.call('GET', `/deployments/${id}`);
    expect(now.body).toMatchObject({ status: 'failed', current_percent: 0, target_percent: 0 });
    expect(now.body.completed_at).toBe(now.body.last_update);
    const route = await control.store.getRoute(MINIMAL.queue_name);
    expect(route).toMatchObject({ stableVersion: 'v1.2.0', rejected: ['v1.3.0'] });
    expect(route).not.toHaveProperty('split');
  });

  test.each([
    ['no body', undefined],
    ['an empty object', {}],
    ['an empty reason', { reason: '' }],
    ['a blank reason', { reason: '  ' }],
  ])('a rollback with %s has a reason all the same', async (_name, body) => {
    const control = await openControl();
    const id = await created(control);
    const answer = await control.call('POST', `/deployments/${id}/rollback`, body);
    expect(answer.body).toMatchObject({
      reason: 'Manual rollback',
      message: 'Deployment rolled back: Manual rollback',
    });
  });

  test('a paused deployment keeps its percentage until it is resumed, and can be rolled back', async () => {
    const control = await openControl();
    const id = await created(control, { initial_percentage: 10 });
    const paused = await control.call('POST', `/deployments/${id}/pause`);
    expect(paused).toMatchObject({ status: 200, body: { id, status: 'paused', current_percent: 10 } });

    for (const [method, action, body] of [
      ['PUT', 'percentage', { percentage: 20 }],
      ['POST', 'promote', undefined],
      ['POST', 'pause', undefined],
    ] as const) {
      const refused = await control.call(method, `/deployments/${id}/${action}`, body);
      expect(refused).toMatchObject({ status: 400, body: { code: 'DEPLOYMENT_NOT_ACTIVE' } });
    }

    const resumed = await control.call('POST', `/deployments/${id}/resume`);
    expect(resumed.body).toMatchObject({ status: 'active', current_percent: 10 });
    await control.call('POST', `/deployments/${id}/pause`);
    expect((await control.call('POST', `/deployments/${id}/rollback`)).status).toBe(200);
  });

  test.each(['promote', 'rollback'])('nothing but delete is possible after %s', async (ending) => {
    const control = await openControl();
    const id = await created(control);
    await control.call('POST', `/deployments/${id}/${ending}`);
    for (const [method, action, body] of [
      ['PUT', 'percentage', { percentage: 20 }],
      ['POST', 'promote', undefined],
      ['POST', 'rollback', undefined],
      ['POST', 'pause', undefined],
      ['POST', 'resume', undefined],
    ] as const) {
      const refused = await control.call(method, `/deployments/${id}/${action}`, body);
      expect(refused).toMatchObject({ status: 400, body: { code: 'DEPLOYMENT_NOT_ACTIVE' } });
    }
    expect((await control.call('DELETE', `/deployments/${id}`)).status).toBe(204);
    for (const path of ['', '/events']) {
      const gone = await control.call('GET', `/deployments/${id}${path}`);
      expect(gone).toMatchObject({ status: 404, body: { code: 'DEPLOYMENT_NOT_FOUND' } });
    }
  });

  test.each([
    ['PUT', 'percentage', { percentage: 20 }],
    ['POST', 'promote', undefined],
    ['POST', 'rollback', undefined],
    ['POST', 'pause', undefined],
    ['POST', 'resume', undefined],
    ['GET', 'events', undefined],
  ])('%s %s of a deployment that is not there is not found', async (method, action, body) => {
    const control = await openControl();
    const answer = await control.call(
      method,
      `/deployments/canary_123e4567-e89b-12d3-a456-426614174000/${action}`,
      body,
    );
    expect(answer).toMatchObject({ status: 404, body: { code: 'DEPLOYMENT_NOT_FOUND' } });
  });

  test('one that has not ended cannot be deleted', async () => {
    const control = await openControl();
    const id = await created(control);
    const answer = await control.call('DELETE', `/deployments/${id}`);
    expect(answer).toMatchObject({ status: 409, body: { code: 'DEPLOYMENT_ACTIVE' } });
    await control.call('POST', `/deployments/${id}/pause`);
    expect((await control.call('DELETE', `/deployments/${id}`)).status).toBe(409);
  });
});
