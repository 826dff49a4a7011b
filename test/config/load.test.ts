import { describe, expect, it } from 'vitest';
import { profilesWith } from '../../config/own-profiles.ts';
import { DOCUMENTED_PROFILES } from '../../config/profiles.ts';
import { CONFIG_KEYS, ConfigError, loadConfig, type ConfigSources } from '../../config/load.ts';

function load(
  environment: ConfigSources['environment'] = {},
  text?: string,
  files: Record<string, string> = {},
) {
  return loadConfig({
    environment,
    ...(text !== undefined && { file: { path: 'lanewise.yaml', text } }),
    readFile: (path) => {
      const content = files[path];
      if (content === undefined) throw new Error('no such file');
      return content;
    },
  });
}

function problemsOf(act: () => unknown): readonly string[] {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('configuration', () => {
  it('has the documented defaults', () => {
    const { config } = load();
    expect(config.control).toMatchObject({ host: '127.0.0.1', port: 8080, metrics_public: true });
    expect(config.proxy).toEqual({
      host: '127.0.0.1',
      port: 8090,
      reuse_port: false,
      tls: {},
      worker_tls: {},
    });
    expect(config.admin).toEqual({ host: '127.0.0.1', port: 8091, tls: {} });
    expect(config).toMatchObject({
      data_dir: '.lanewise',
      log_level: 'info',
      max_active_deployments: 1000,
      worker_timeout: 120_000,
      max_in_flight: 4096,
      default_routing_strategy: 'split_queue',
      queues: {},
    });
    expect(config.dispatch).toMatchObject({ timeout: 60_000, connect_timeout: 5000, body_bytes_max: 0 });
    expect(config.redis_url).toBeUndefined();
    expect(config.tokens).toBeUndefined();
  });

  it('knows the documented variables by their names', () => {
    expect(CONFIG_KEYS.map((key) => key.variable)).toEqual(
      expect.arrayContaining([
        'REDIS_URL',
        'LANEWISE_CONTROL_HOST',
        'LANEWISE_CONTROL_PORT',
        'LANEWISE_PROXY_HOST',
        'LANEWISE_PROXY_PORT',
        'LANEWISE_ADMIN_HOST',
        'LANEWISE_ADMIN_PORT',
        'LANEWISE_DATA_DIR',
        'LANEWISE_TOKENS',
        'LANEWISE_MAX_ACTIVE_DEPLOYMENTS',
        'LANEWISE_DISPATCH_TIMEOUT',
        'LANEWISE_MAX_IN_FLIGHT',
        'LANEWISE_WORKER_TIMEOUT',
        'LANEWISE_LOG_LEVEL',
      ]),
    );
  });

  it('takes a YAML file, and the environment over it', () => {
    const { config } = load(
      { LANEWISE_PROXY_PORT: '9000', LANEWISE_DISPATCH_TIMEOUT: '1m30s', REDIS_URL: 'redis://127.0.0.1' },
      `
        proxy: { host: 0.0.0.0, port: 1 }
        dispatch: { body_bytes_max: 1048576 }
        queues:
          payments: { routing_strategy: hash_ring, allow_lane_override: true }
      `,
    );
    expect(config.proxy).toMatchObject({ host: '0.0.0.0', port: 9000 });
    expect(config.dispatch).toMatchObject({ timeout: 90_000, body_bytes_max: 1_048_576 });
    expect(config.redis_url).toBe('redis://127.0.0.1');
    expect(config.queues).toMatchObject({
      payments: {
        routing_strategy: 'hash_ring',
        allow_lane_override: true,
        bounded_load: { factor: 1.25, floor: 8 },
      },
    });
  });

  it('takes lists separated by commas and maps as YAML from the environment', () => {
    const { config } = load({
      LANEWISE_WORKER_URL_ALLOW: '10.0.0.0/8, 127.0.0.1/32',
      LANEWISE_QUEUES: '{"payments": {"routing_strategy": "stream_group"}}',
    });
    expect(config.worker_url_allow).toEqual(['10.0.0.0/8', '127.0.0.1/32']);
    expect(config.queues['payments']?.routing_strategy).toBe('stream_group');
  });

  it('reads secrets from files', () => {
    const { config } = load({ LANEWISE_TOKENS_FILE: '/run/secrets/tokens' }, undefined, {
      '/run/secrets/tokens': 'ci:operator:s3cret\n',
    });
    expect(config.tokens).toBe('ci:operator:s3cret');
  });

  it('reads tokens from a file that the configuration names, unless a variable has some', () => {
    const files = { '/run/tokens': 'ci:operator:s3cret\n' };
    const yaml = 'tokens_file: /run/tokens';
    expect(load({}, yaml, files).config).toMatchObject({
      tokens: 'ci:operator:s3cret',
      tokens_file: '/run/tokens',
    });
    const { config } = load({ LANEWISE_TOKENS: 'ops:admin:other' }, yaml, files);
    expect([config.tokens, config.tokens_file]).toEqual(['ops:admin:other', undefined]);
    expect(problemsOf(() => load({}, `${yaml}\ntokens: ops:admin:other`, files))).toEqual([
      'tokens and tokens_file are both set; keep one',
    ]);
    expect(problemsOf(() => load({}, 'tokens_file: /gone'))).toEqual([
      'tokens_file: cannot read /gone (no such file)',
    ]);
  });

  it('treats an empty variable as not set', () => {
    expect(load({ REDIS_URL: '', LANEWISE_PROXY_PORT: '' }).config.proxy.port).toBe(8090);
  });

  it('reports every problem at once, under the name that the operator wrote', () => {
    const problems = problemsOf(() =>
      load(
        { LANEWISE_PROXY_PORT: '70000', LANEWISE_DISPATCH_TIMEOUT: 'soon', LANEWISE_TOKENS_FILE: '/gone' },
        `
          controll: {}
          log_level: loud
          queues: { "my queue": {}, ok: { routing_strategy: magic } }
        `,
      ),
    );
    expect(problems.toSorted()).toEqual([
      'LANEWISE_DISPATCH_TIMEOUT: must be a duration such as 500ms, 90s or 1h30m, from 0s to 576h0m0s',
      'LANEWISE_PROXY_PORT: must be a whole number from 0 to 65535',
      'LANEWISE_TOKENS_FILE: cannot read /gone (no such file)',
      'controll: is not a key of the configuration',
      'log_level: must be one of fatal, error, warn, info, debug, trace, silent',
      'queues.my queue: is not a queue name: 1 to 128 letters, digits or any of . _ - { }, beginning with a letter, a digit or {',
      'queues.ok.routing_strategy: must be one of split_queue, stream_group, hash_ring',
    ]);
  });

  it('refuses a file that is not a map, or not YAML', () => {
    expect(problemsOf(() => load({}, '- 1'))).toEqual(['lanewise.yaml: must be a map of keys to values']);
    expect(problemsOf(() => load({}, 'a: [1'))[0]).toMatch(/^lanewise\.yaml: /);
    expect(problemsOf(() => load({}, 'log_level: info\nlog_level: warn'))[0]).toMatch(/unique/);
  });

  it('takes queues of BullMQ with their prefix and job options, in split_queue alone', () => {
    const text =
      'queues: { a: { envelope: bullmq, routing_strategy: split_queue, bullmq_prefix: "{app}", bullmq_job_options: { attempts: 3 } } }';
    expect(load({}, text).config.queues['a']).toMatchObject({
      envelope: 'bullmq',
      bullmq_prefix: '{app}',
      bullmq_job_options: { attempts: 3 },
    });
    const problems = problemsOf(() =>
      load(
        {},
        `
          queues:
            a: { envelope: bullmq }
            b: { envelope: bullmq, routing_strategy: stream_group, key_template: 'queue:{queue}' }
            c: { bullmq_prefix: '{}', bullmq_job_options: { attempts: many } }
        `,
      ),
    );
    expect(problems.toSorted()).toEqual([
      'queues.a.routing_strategy: must be split_queue where envelope is bullmq: a lane is a queue of BullMQ',
      'queues.b.key_template: must be left out where envelope is bullmq, which names its keys by bullmq_prefix',
      'queues.b.routing_strategy: must be split_queue where envelope is bullmq: a lane is a queue of BullMQ',
      'queues.c.bullmq_job_options: has a bad attempts: it must be a whole number from 1',
      'queues.c.bullmq_prefix: must be 1 to 64 visible ASCII characters, with braces only as in {tag}',
    ]);
  });

  it('takes profiles, each from what it says and otherwise from the default profile', () => {
    const { config } = load(
      {},
      'profiles: { night: { max_canary_duration: 12h, sticky_routing: false, rollback_thresholds: { min_success_rate: 90 } } }',
    );
    expect(profilesWith(config.profiles)).toEqual({
      ...DOCUMENTED_PROFILES,
      night: {
        ...DOCUMENTED_PROFILES.default,
        stickyRouting: false,
        maxCanaryDurationMs: 12 * 3_600_000,
        rollbackThresholds: { ...DOCUMENTED_PROFILES.default.rollbackThresholds, minSuccessRate: 90 },
      },
    });
  });

  it('refuses profiles that redefine a documented one, or contradict themselves', () => {
    const problems = problemsOf(() =>
      load(
        {},
        'profiles: { default: {}, odd: { max_canary_duration: 1m }, worse: { rollback_thresholds: { min_success_rate: 101 } } }',
      ),
    );
    expect(problems.toSorted()).toEqual([
      'profiles.default: is one of the documented profiles, whose numbers clients rely on; choose another name',
      'profiles.odd.min_canary_duration: must not be longer than max_canary_duration, 1m0s',
      'profiles.worse.rollback_thresholds.min_success_rate: must be a number from 0 to 100',
    ]);
  });

  it('names variables that it does not know, without failing', () => {
    expect(load({ LANEWISE_PROXY_PROT: '1', OTHER: '2' }).unknownVariables).toEqual(['LANEWISE_PROXY_PROT']);
  });
});
