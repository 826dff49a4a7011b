import { afterAll, describe, expect, test } from 'vitest';
import { LanewiseError } from '../../../src/core/errors.ts';
import { logEvidenceOf } from '../../../src/core/judge/evidence.ts';
import type { Judgement } from '../../../src/core/judge/judgement.ts';
import { telemetryKey } from '../../../src/runtime/store/redis/keys.ts';
import { aJudgement } from '../../runtime/store/samples.ts';
import {
  BAD,
  closeRedis,
  deploy,
  embedded,
  GOOD,
  onRedis,
  openCourt,
  redisServer,
  STORES,
  typesOf,
} from './court.ts';

/** The judge while something is wrong with what it reads and writes. */

afterAll(closeRedis);

const STAGED = { profile: 'aggressive', min_duration: '8s', initial_percentage: undefined };

const FAILURES = [
  new LanewiseError('STORE_UNAVAILABLE', 'Redis is loading'),
  new LanewiseError('INTERNAL', 'the stored telemetry is damaged: not a count'),
  new TypeError('a mistake of ours'),
];

describe.each(FAILURES.map((error) => [error.message, error] as const))(
  'while the store says "%s"',
  (_name, error) => {
    test.each(['readStep', 'saveJudgement', 'saveDeployment'] as const)(
      'of one deployment in %s, the others are judged, and it too when that is over',
      async (method) => {
        let broken: string | undefined;
        const check = (id: string): void => {
          if (id === broken) throw error;
        };
        const court = await openCourt(embedded, (inner) => ({
          async readStep(id, step) {
            if (method === 'readStep') check(id);
            return inner.readStep(id, step);
          },
          async saveJudgement(saving) {
            if (method === 'saveJudgement') check(saving.deploymentId);
            return inner.saveJudgement(saving);
          },
          async saveDeployment(change) {
            if (method === 'saveDeployment') check(change.deployment.id);
            return inner.saveDeployment(change);
          },
        }));
        const bad = await deploy(court, { queue_name: 'bad' });
        const good = await deploy(court, { ...STAGED, queue_name: 'good' });
        broken = bad;
        await court.pass(15, { [bad]: BAD, [good]: GOOD });
        expect((await court.deployment(good)).status).toBe('completed');
        expect((await court.deployment(bad)).status).toBe('active');
        broken = undefined;
        await court.pass(1);
        expect((await court.deployment(bad)).status).toBe('failed');
        expect(
          typesOf(await court.events(bad)).filter((type) => type === 'health_check_failed'),
        ).toHaveLength(1);
      },
    );

    test('to the list of deployments, the judge says so and looks again', async () => {
      let isBroken = true;
      const court = await openCourt(embedded, (inner) => ({
        async listDeployments(filter) {
          if (isBroken && filter?.status !== undefined) throw error;
          return inner.listDeployments(filter);
        },
      }));
      const id = await deploy(court);
      await court.lease.claim();
      await expect(court.judge.tick()).rejects.toBe(error);
      expect(court.judge.lastTickAt()).toBeUndefined();
      isBroken = false;
      await court.pass(15, { [id]: BAD });
      expect((await court.deployment(id)).status).toBe('failed');
    });
  },
);

describe.each(STORES)('on the %s store', (_name, open) => {
  test('a judgement that is damaged is said so once, and the deployment judged from there', async () => {
    const court = await openCourt(open);
    const id = await deploy(court);
    await court.lease.claim();
    const damaged = { ...aJudgement(), status: 'splendid' } as unknown as Judgement;
    const saving = { deploymentId: id, judgement: damaged, events: [], notices: [] };
    expect(await court.store.saveJudgement({ ...saving, fence: court.lease.fence()! })).toBe(true);
    await expect(court.store.readJudgement(id)).rejects.toMatchObject({ code: 'INTERNAL' });
    await court.pass(3, { [id]: GOOD });
    const warnings = court.lines.filter(({ level }) => level === 40);
    expect(warnings).toMatchObject([
      { deployment: id, msg: 'a judgement is damaged; the judge starts over with this deployment' },
    ]);
    expect(await court.store.readJudgement(id)).toMatchObject({ status: 'healthy' });
    await court.pass(15, { [id]: BAD });
    expect((await court.deployment(id)).status).toBe('failed');
  });

  test('another instance goes on from what the one before it has gathered', async () => {
    const court = await openCourt(open);
    const id = await deploy(court);
    await court.pass(5, { [id]: GOOD });
    // Suspicious, but no proof.
    await court.pass(2, { [id]: { ...GOOD, canary: { jobs: 10, failed: 3 } } });
    const before = await court.store.readJudgement(id);
    expect(logEvidenceOf(before!.evidence, 'error_rate')).toBeGreaterThan(0.3);
    expect((await court.deployment(id)).status).toBe('active');
    await court.lease.release();
    const successor = court.another();
    await successor.lease.claim();
    court.clock.pass(1000);
    await successor.judge.tick();
    const after = await court.store.readJudgement(id);
    expect(after!.evidence.errorRate.logWealth).toEqual(before!.evidence.errorRate.logWealth);
    expect(after!.evidence.seen).toEqual(before!.evidence.seen);
    await court.work(id, BAD);
    await court.work(id, BAD);
    court.clock.pass(1000);
    await successor.judge.tick();
    await successor.judge.settled();
    expect((await court.deployment(id)).status).toBe('failed');
  });
});

test('telemetry that Redis has lost makes nobody act, and what comes after it counts', async () => {
  const court = await openCourt(onRedis);
  const id = await deploy(court);
  await court.pass(10, { [id]: GOOD });
  const client = (await redisServer()).client();
  const lose = async (): Promise<void> => {
    const keys = await client.keys(`${telemetryKey(id)}*`);
    expect(keys.length).toBeGreaterThan(0);
    await client.del(...keys);
  };
  await lose();
  await court.pass(3);
  const { body } = await court.control.call('GET', `/deployments/${id}/health`);
  expect(body).toMatchObject({ overall_status: 'unknown', evidence: { canary_jobs: 0, stable_jobs: 0 } });
  expect((await court.deployment(id)).status).toBe('active');
  // Again and again, in the middle of jobs that fail.
  for (let i = 0; i < 3; i++) {
    await court.pass(1, { [id]: GOOD });
    await lose();
  }
  expect((await court.deployment(id)).status).toBe('active');
  await court.pass(15, { [id]: BAD });
  expect((await court.deployment(id)).status).toBe('failed');
});
