import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, type ConfigSources } from '../../config/load.ts';

const SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDXNuQp5qlbcA=';
const OLD_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

function load(
  text: string,
  files: Readonly<Record<string, string>> = {},
  environment: ConfigSources['environment'] = {},
) {
  return loadConfig({
    environment,
    file: { path: 'lanewise.yaml', text },
    readFile: (path) => {
      const content = files[path];
      if (content === undefined) throw new Error('no such file');
      return content;
    },
  }).config;
}

function problemsOf(text: string, files?: Readonly<Record<string, string>>): readonly string[] {
  try {
    load(text, files);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.toSorted();
    throw error;
  }
  throw new Error('nothing was refused');
}

const SECRET_PROBLEM =
  'must be whsec_ and the base64 of 24 to 64 random bytes, as this makes one: echo "whsec_$(openssl rand -base64 32)"';
const URL_PROBLEM = 'must be an http:// or https:// URL without user name, password and #';

describe('webhooks in the configuration', () => {
  it('are told of everything unless they say otherwise', () => {
    const { webhooks } = load(`
      webhooks:
        ops: { url: "https://hooks.internal/a?b=c", secret: "${SECRET}" }
        release: { url: "http://10.0.0.7", secret: "${SECRET}", events: [promoted, rolled_back] }
    `);
    expect(webhooks).toEqual({
      ops: {
        url: 'https://hooks.internal/a?b=c',
        secret: [SECRET],
        events: ['promoted', 'rolled_back', 'health_changed', 'stage_reached'],
      },
      release: { url: 'http://10.0.0.7', secret: [SECRET], events: ['promoted', 'rolled_back'] },
    });
  });

  it('are a map in the environment too', () => {
    const text = JSON.stringify({ ops: { url: 'http://10.0.0.7', secret: SECRET, events: 'promoted' } });
    expect(load('', {}, { LANEWISE_WEBHOOKS: text }).webhooks).toMatchObject({
      ops: { secret: [SECRET], events: ['promoted'] },
    });
  });

  it('may have their secret in a file, and two while one takes the place of the other', () => {
    const files = { '/run/one': `${SECRET}\n`, '/run/both': `${SECRET}, ${OLD_SECRET}` };
    const { webhooks } = load(
      `webhooks: { a: { url: "http://10.0.0.7", secret_file: /run/one }, b: { url: "http://10.0.0.7", secret_file: /run/both } }`,
      files,
    );
    expect(webhooks['a']!.secret).toEqual([SECRET]);
    expect(webhooks['b']!.secret).toEqual([SECRET, OLD_SECRET]);
    expect(webhooks['a']).not.toHaveProperty('secret_file');
  });

  it('are refused with all that is wrong with them at once, by key', () => {
    const problems = problemsOf(
      `
        webhooks:
          "two words": { url: "http://10.0.0.7", secret: "${SECRET}" }
          bare: {}
          both: { url: "http://10.0.0.7", secret: "${SECRET}", secret_file: /run/one }
          gone: { url: "ftp://10.0.0.7", secret_file: /gone }
          short: { url: "http://10.0.0.7", secret_file: /run/short }
          strange: { url: "http://10.0.0.7", secret: "${SECRET}", events: [created], retries: 3 }
          deaf: { url: "http://10.0.0.7", secret: "${SECRET}", events: [] }
      `,
      { '/run/one': SECRET, '/run/short': 'whsec_AAAA' },
    );
    const kinds = 'promoted, rolled_back, health_changed, stage_reached';
    expect(problems).toEqual([
      `webhooks.bare.secret: is missing, and so is secret_file`,
      `webhooks.bare.url: ${URL_PROBLEM}`,
      'webhooks.both.secret and webhooks.both.secret_file are both set; keep one',
      `webhooks.deaf.events: must name at least one of ${kinds}`,
      'webhooks.gone.secret_file: cannot read /gone (no such file)',
      `webhooks.gone.url: ${URL_PROBLEM}`,
      `webhooks.short.secret_file: ${SECRET_PROBLEM}`,
      `webhooks.strange.events.0: must be one of ${kinds}`,
      'webhooks.strange.retries: is not a key of the configuration',
      'webhooks.two words: is not a name of a webhook: 1 to 128 visible ASCII characters without spaces',
    ]);
  });

  // Whoever reads the log of a failed start is not whoever may know the secret.
  it.each([
    'hunter2-hunter2-hunter2',
    'whsec_',
    'whsec_hunter2',
    'whsec_aHVudGVyMiBodW50ZXIy!IGh1bnRlcjIgaHVudGVyMg==',
    'whsk_aHVudGVyMiBodW50ZXIyIGh1bnRlcjIgaHVudGVyMg==',
    `whsec_${Buffer.alloc(23).toString('base64')}`,
    `whsec_${Buffer.alloc(65).toString('base64')}`,
  ])('may not have the secret %j, which is not repeated', (secret) => {
    const problems = problemsOf(
      `webhooks: { ops: { url: "http://10.0.0.7", secret: ${JSON.stringify(secret)} } }`,
    );
    expect(problems).toEqual([`webhooks.ops.secret: ${SECRET_PROBLEM}`]);
  });

  it.each(['', '10.0.0.7', 'javascript:1', 'http://', 'http://me:hunter2@10.0.0.7', 'http://10.0.0.7/#x', 7])(
    'may not have the url %j, which is not repeated',
    (url) => {
      const problems = problemsOf(`webhooks: { ops: { url: ${JSON.stringify(url)}, secret: "${SECRET}" } }`);
      expect(problems).toEqual([`webhooks.ops.url: ${URL_PROBLEM}`]);
    },
  );
});
