import { describe, expect, test } from 'vitest';
import { BASE_PATH } from '../../control/app.ts';
import { created, MINIMAL, openControl, SECRETS, type Answer, type Control } from './harness.ts';
import { refusal } from './refusal.ts';

function send(control: Control, method: string, path: string, ifMatch: string, body?: object) {
  return control.fetch(`${BASE_PATH}${path}`, {
    method,
    headers: {
      'x-api-key': SECRETS.operator,
      'content-type': 'application/json',
      'if-match': ifMatch,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

const etagOf = ({ headers }: Answer): string | null => headers.get('etag');

const CHANGES = [
  ['PUT', '/percentage', { percentage: 5 }],
  ['POST', '/pause', undefined],
  ['POST', '/promote', undefined],
  ['POST', '/rollback', undefined],
] as const;

describe('the ETag of a deployment', () => {
  test('is its version, in every answer about one', async () => {
    const control = await openControl();
    const create = await control.call('POST', '/deployments', MINIMAL);
    expect(etagOf(create)).toBe('"1"');
    const path = `/deployments/${create.body.id}`;
    expect(etagOf(await control.call('GET', path))).toBe('"1"');
    expect(etagOf(await control.call('PUT', `${path}/percentage`, { percentage: 5 }))).toBe('"2"');
    expect(etagOf(await control.call('POST', `${path}/pause`))).toBe('"3"');
    expect(etagOf(await control.call('POST', `${path}/resume`))).toBe('"4"');
    // Two versions each: the promotion, and that its lane was found empty.
    expect(etagOf(await control.call('POST', `${path}/promote`))).toBe('"6"');
    expect(etagOf(await control.call('GET', path))).toBe('"6"');
    const other = await created(control, { queue_name: 'other' });
    expect(etagOf(await control.call('POST', `/deployments/${other}/rollback`))).toBe('"3"');
  });
});

describe('If-Match', () => {
  test.each(CHANGES)('keeps %s …%s from a deployment that has moved on', async (method, action, body) => {
    const control = await openControl();
    const id = await created(control);
    await control.call('PUT', `/deployments/${id}/percentage`, { percentage: 10 });
    const answer = await send(control, method, `/deployments/${id}${action}`, '"1"', body);
    expect(answer).toEqual(refusal(412, 'PRECONDITION_FAILED', ['If-Match']));
    expect(answer.body.details['If-Match']).toContain('must be "2"');
    expect(await control.store.getDeployment(id)).toMatchObject({ version: 2, currentPercent: 10 });
    expect((await send(control, method, `/deployments/${id}${action}`, '"2"', body)).status).toBe(200);
  });

  test('keeps resume and delete from it too', async () => {
    const control = await openControl();
    const id = await created(control);
    await control.call('POST', `/deployments/${id}/pause`);
    expect((await send(control, 'POST', `/deployments/${id}/resume`, '"1"')).status).toBe(412);
    expect((await send(control, 'POST', `/deployments/${id}/resume`, '"2"')).status).toBe(200);
    await control.call('POST', `/deployments/${id}/rollback`);
    expect((await send(control, 'DELETE', `/deployments/${id}`, '"3"')).status).toBe(412);
    expect((await send(control, 'DELETE', `/deployments/${id}`, '"5"')).status).toBe(204);
  });

  test.each(['*', '"1"', '"9", "1"', ' "1" '])('is met by %s', async (tag) => {
    const control = await openControl();
    const id = await created(control);
    const answer = await send(control, 'PUT', `/deployments/${id}/percentage`, tag, { percentage: 5 });
    expect(answer.status).toBe(200);
  });

  test.each(['"2"', 'W/"1"', '"01"', '"x", "y"'])('is not met by %s', async (tag) => {
    const control = await openControl();
    const id = await created(control);
    const answer = await send(control, 'PUT', `/deployments/${id}/percentage`, tag, { percentage: 5 });
    expect(answer).toEqual(refusal(412, 'PRECONDITION_FAILED', ['If-Match']));
  });

  test.each(['1', '"1', "'1'", '"1" "2"', '*, "1"', ','])('is refused where it is %s', async (tag) => {
    const control = await openControl();
    const id = await created(control);
    const answer = await send(control, 'PUT', `/deployments/${id}/percentage`, tag, { percentage: 5 });
    expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['If-Match']));
    expect((await control.store.getDeployment(id))?.version).toBe(1);
  });

  test('lets one of many win who have all seen the same version', async () => {
    const first = await openControl();
    const second = await openControl({ store: first.store });
    const id = await created(first);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        send([first, second][i % 2]!, 'PUT', `/deployments/${id}/percentage`, '"1"', { percentage: i }),
      ),
    );
    expect(answers.filter((a) => a.status === 200)).toHaveLength(1);
    expect(answers.filter((a) => a.status === 412)).toHaveLength(19);
  });

  test('of a deployment that is not there says so', async () => {
    const control = await openControl();
    const id = 'canary_123e4567-e89b-12d3-a456-426614174000';
    const answer = await send(control, 'POST', `/deployments/${id}/promote`, '"1"');
    expect(answer.body.code).toBe('DEPLOYMENT_NOT_FOUND');
  });
});
