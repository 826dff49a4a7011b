import { describe, expect, test } from 'vitest';
import { BASE_PATH } from '../../../control/app.ts';
import { SECRETS, type Control } from '../harness.ts';
import { BAD, deploy, embedded, GOOD, openCourt, typesOf, type Court } from './court.ts';

/** The judge beside people who pause, move, promote and roll back themselves. */

const STAGED = { profile: 'aggressive', min_duration: '8s', initial_percentage: undefined };

async function pause({ control }: Court, id: string): Promise<void> {
  expect((await control.call('POST', `/deployments/${id}/pause`)).status).toBe(200);
}

async function resume({ control }: Court, id: string): Promise<void> {
  expect((await control.call('POST', `/deployments/${id}/resume`)).status).toBe(200);
}

describe('a paused deployment', () => {
  test('holds its percentage, and the time does not count for its stage', async () => {
    const court = await openCourt(embedded);
    const id = await deploy(court, STAGED);
    await court.pass(1, { [id]: GOOD });
    await pause(court, id);
    await court.pass(100, { [id]: GOOD });
    expect(await court.deployment(id)).toMatchObject({ status: 'paused', currentPercent: 5 });
    await resume(court, id);
    court.clock.pass(-1);
    await court.pass(1, { [id]: GOOD });
    expect(await court.deployment(id)).toMatchObject({ status: 'active', currentPercent: 5 });
    await court.pass(1, { [id]: GOOD });
    expect(await court.deployment(id)).toMatchObject({ status: 'active', currentPercent: 25 });
  });

  test('has its minimum and its maximum duration still before it', async () => {
    const court = await openCourt(embedded);
    const id = await deploy(court, { min_duration: '5s', max_duration: '10s' });
    await court.pass(4, { [id]: GOOD });
    await pause(court, id);
    await court.pass(100, { [id]: GOOD });
    const duration = async () =>
      (await court.control.call('GET', `/deployments/${id}/health`)).body.duration_check;
    expect(await duration()).toMatchObject({ passing: false, message: 'Duration: 4s (minimum: 5s)' });
    await resume(court, id);
    await court.pass(5, { [id]: GOOD });
    expect(await duration()).toMatchObject({ passing: true, message: 'Duration: 9s (minimum: 5s)' });
    expect((await court.deployment(id)).status).toBe('active');
    await court.pass(1, { [id]: GOOD });
    expect((await court.deployment(id)).status).toBe('failed');
  });

  test('that fails meanwhile is told of, and taken back at the first look after it is resumed', async () => {
    const court = await openCourt(embedded);
    const id = await deploy(court);
    await pause(court, id);
    await court.pass(20, { [id]: BAD });
    expect(await court.deployment(id)).toMatchObject({ status: 'paused', currentPercent: 10 });
    expect(typesOf(await court.events(id)).at(-1)).toBe('health_check_failed');
    await resume(court, id);
    await court.pass(1);
    expect((await court.deployment(id)).status).toBe('failed');
    expect(typesOf(await court.events(id)).slice(1)).toEqual([
      'deployment_paused',
      'health_check_failed',
      'deployment_resumed',
      'deployment_rolled_back',
    ]);
  });
});

/** What an operator does in the moment between the judge's decision and its deed, at one of two places. */
const MOMENTS = ['getRoutedDeployment', 'saveDeployment'] as const;

describe.each(MOMENTS)('an operator who is quicker than the judge, before its %s,', (moment) => {
  /** A court in which somebody acts once, in that moment. */
  async function disturbed(act: (operators: Control) => Promise<unknown>): Promise<Court> {
    let isLooking = false;
    const interfere = async (isDue: boolean): Promise<void> => {
      if (!isDue || !isLooking) return;
      isLooking = false;
      await act(court.elsewhere);
    };
    const court: Court = await openCourt(embedded, (inner) => ({
      async getRoutedDeployment(id) {
        // The judge lists deployments; it reads a single one only to change it.
        await interfere(moment === 'getRoutedDeployment');
        return inner.getRoutedDeployment(id);
      },
      async saveDeployment(change) {
        await interfere(moment === 'saveDeployment');
        return inner.saveDeployment(change);
      },
    }));
    return {
      ...court,
      async pass(seconds, traffic) {
        isLooking = true;
        await court.pass(seconds, traffic);
      },
    };
  }

  test('keeps the percentage that he sets', async () => {
    let id = '';
    const court = await disturbed((operators) =>
      operators.call('PUT', `/deployments/${id}/percentage`, { percentage: 60 }),
    );
    id = await deploy(court, STAGED);
    await court.pass(2, { [id]: GOOD });
    expect(await court.deployment(id)).toMatchObject({ currentPercent: 60, version: 2 });
    expect((await court.events(id)).map(({ actor }) => actor)).toEqual(['root', 'ops']);
  });

  test('has promoted what the judge would have taken back', async () => {
    let id = '';
    const court = await disturbed((operators) => operators.call('POST', `/deployments/${id}/promote`));
    id = await deploy(court);
    await court.pass(15, { [id]: BAD });
    expect(await court.deployment(id)).toMatchObject({ status: 'completed', currentPercent: 100 });
    expect(typesOf(await court.events(id))).toEqual([
      'deployment_created',
      'health_check_failed',
      'deployment_promoted',
    ]);
  });

  test('has paused what the judge would have moved', async () => {
    let id = '';
    const court = await disturbed((operators) => operators.call('POST', `/deployments/${id}/pause`));
    id = await deploy(court, STAGED);
    await court.pass(10, { [id]: GOOD });
    expect(await court.deployment(id)).toMatchObject({ status: 'paused', currentPercent: 5 });
  });
});

test('an `If-Match` still fits after the judge has told of the health', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court, { auto_rollback: false });
  const path = `/deployments/${id}`;
  const etag = (await court.control.call('GET', path)).headers.get('etag')!;
  await court.pass(15, { [id]: BAD });
  expect(typesOf(await court.events(id))).toContain('health_check_failed');
  const answer = await court.control.fetch(`${BASE_PATH}${path}/percentage`, {
    method: 'PUT',
    headers: { 'x-api-key': SECRETS.operator, 'content-type': 'application/json', 'if-match': etag },
    body: JSON.stringify({ percentage: 1 }),
  });
  expect(answer.status).toBe(200);
});

test('a deployment that is deleted is forgotten', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court);
  await court.pass(2, { [id]: GOOD });
  expect([...court.judge.latest()].map(([deployment]) => deployment.id)).toEqual([id]);
  await court.control.call('POST', `/deployments/${id}/rollback`);
  await court.control.call('DELETE', `/deployments/${id}`);
  await court.pass(1);
  expect([...court.judge.latest()]).toEqual([]);
});
