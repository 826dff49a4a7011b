import { describe, expect, it } from 'vitest';
import { laneQueueOf } from '../../config/lane-queues.ts';
import { ConfigError, loadConfig } from '../../config/load.ts';

const REDIS = 'redis://127.0.0.1:6379';
const CLUSTER = 'redis+cluster://127.0.0.1:6379';

function load(queues: Readonly<Record<string, object>>, redisUrl: string | undefined = REDIS) {
  return loadConfig({
    environment: { LANEWISE_QUEUES: JSON.stringify(queues), REDIS_URL: redisUrl },
    readFile: () => '',
  }).config;
}

function problemsOf(queues: Readonly<Record<string, object>>, redisUrl?: string): readonly string[] {
  try {
    load(queues, redisUrl);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const SIDEKIQ = { routing_strategy: 'split_queue', key_template: 'lanes:{queue}', envelope: 'raw' };
const INTAKE = { key: 'queue:payments' };

describe('an intake', () => {
  it('of a list and of a stream is taken as it is written', () => {
    const { queues } = load({
      payments: { ...SIDEKIQ, intake: { ...INTAKE, sticky_key: 'args.0.customer_id', job_id: 'jid' } },
      events: { ...SIDEKIQ, routing_strategy: 'stream_group', intake: { key: 'events', group: 'workers' } },
      mails: { ...SIDEKIQ, routing_strategy: 'stream_group', intake: { key: 'mails' } },
    });
    expect(laneQueueOf(queues, 'payments', 'split_queue')?.intake).toMatchObject(INTAKE);
    expect(queues['payments']?.intake).toMatchObject({ sticky_key: 'args.0.customer_id', job_id: 'jid' });
    const groups = ['events', 'mails'].map(
      (name) => laneQueueOf(queues, name, 'stream_group')?.intake?.group,
    );
    expect(groups).toEqual(['workers', 'lanewise']);
  });

  it.each([
    ['the stable lane', 'lanes:payments'],
    ['the canary lane', 'lanes:payments@canary'],
    ['the dead', 'lanes:payments:dead'],
    ['what is ours', 'lanes:payments:lanewise:fences'],
    ['a lane of another queue', 'lanes:mails'],
  ])('must not have the key of %s', (_, key) => {
    expect(problemsOf({ payments: { ...SIDEKIQ, intake: { key } }, mails: SIDEKIQ })).toEqual([
      expect.stringMatching(
        /^queues\.payments\.intake\.key: must not be ".*", a key of the lanes of (payments|mails): set key_template/,
      ),
    ]);
  });

  it('must not be that of another queue', () => {
    const queue = { ...SIDEKIQ, intake: INTAKE };
    expect(problemsOf({ payments: queue, mails: queue })).toEqual([
      'queues.payments.intake.key: must not be "queue:payments", the intake of mails',
      'queues.mails.intake.key: must not be "queue:payments", the intake of payments',
    ]);
  });

  it('is refused without Redis, without a strategy that has lanes, and with BullMQ, each with what to do', () => {
    const intake = INTAKE;
    expect(problemsOf({ payments: { ...SIDEKIQ, intake } }, '')).toEqual([
      expect.stringMatching(/^queues\.payments\.intake: needs redis_url: /),
    ]);
    for (const routing_strategy of [undefined, 'hash_ring']) {
      expect(problemsOf({ payments: { ...SIDEKIQ, intake, routing_strategy } })).toEqual([
        expect.stringMatching(
          /^queues\.payments\.intake: needs routing_strategy of the same queue: split_queue if/,
        ),
      ]);
    }
    expect(problemsOf({ payments: { routing_strategy: 'split_queue', envelope: 'bullmq', intake } })).toEqual(
      [expect.stringMatching(/^queues\.payments\.intake: must be left out where envelope is bullmq: /)],
    );
  });

  it('shares its hash tag with the lanes on a Cluster', () => {
    const queue = { ...SIDEKIQ, intake: { key: 'queue:{payments}' } };
    expect(problemsOf({ '{payments}': queue }, CLUSTER)).toEqual([]);
    expect(problemsOf({ '{payments}': { ...queue, intake: INTAKE } }, CLUSTER)).toEqual([
      'queues.{payments}.intake.key: must share a hash tag with "lanes:{payments}" on Redis Cluster, such as {payments}',
    ]);
  });

  it.each([
    ['key', 'two words', 'must be the key of a Redis list or stream'],
    ['key', undefined, 'must be the key of a Redis list or stream'],
    ['sticky_key', 'args..id', 'must be names of fields and numbers of elements with dots between'],
    ['job_id', '', 'must be names of fields and numbers of elements with dots between'],
    ['group', 'workers', 'must be left out with split_queue'],
  ])('%s: %s is refused in words', (field, value, words) => {
    const intake = { ...INTAKE, [field]: value };
    expect(problemsOf({ payments: { ...SIDEKIQ, intake } })).toEqual([
      expect.stringContaining(`queues.payments.intake.${field}: ${words}`),
    ]);
  });
});
