import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import { LANES, type Lane } from '../../core/lane.ts';
import { ROUTING_STRATEGIES, type RoutingStrategy } from '../../core/deployment.ts';
import { WORKER_STATUSES } from '../../core/worker.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import type { Host } from '../host.ts';
import type { ListOptions } from './deployments.ts';
import type { DeadSelection } from './queues.ts';
import type { CommonOptions, Session } from './session.ts';
import type { WorkerFilter } from './workers.ts';

/** The commands that talk to a control plane: what they are called and take. What they do is loaded when one is called. */

const DEPLOYMENT_STATUSES = ['active', 'promoting', 'rolling_back', 'completed', 'failed', 'paused'];
const WHICH = 'its id, the beginning of it, or the name of its queue';

export function addOperatorCommands(program: Command, host: Host): void {
  addDeployments(program, host);
  addWorkers(program, host);
  addQueues(program, host);
  common(program.command('status').description('The health of the whole system on one screen.')).action(
    async (options: CommonOptions) => {
      const { showStatus } = await import('./status.ts');
      if (!(await showStatus(await open(host, options)))) host.end(EXIT.failed);
    },
  );
}

/** What range it may have, the control plane says. */
function toNumber(text: string): number {
  const number = Number(text.replace(/ ?%$/, ''));
  if (text.trim() === '' || Number.isNaN(number)) throw new InvalidArgumentError('It must be a number.');
  return number;
}

/** What all of them take. */
function common(command: Command): Command {
  return command
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table'),
    )
    .option(
      '--url <url>',
      'of the control plane; LANEWISE_URL, else the one that the configuration describes',
    )
    .option('--token <token>', 'LANEWISE_TOKEN is better, since others see options; else the local one')
    .option(
      '--ca <file>',
      "of the control plane's certificate, PEM; LANEWISE_CA, else those that Node trusts",
    )
    .option('--cert <file>', 'certificate to show it, if it wants one; LANEWISE_CERT')
    .option('--key <file>', "the certificate's private key; LANEWISE_KEY")
    .option('-c, --config <file>', 'YAML configuration of the local control plane');
}

function dangerous(command: Command): Command {
  return common(command).option('-y, --yes', 'do not ask');
}

async function open(host: Host, options: CommonOptions): Promise<Session> {
  const { openSession } = await import('./session.ts');
  return openSession(host, options);
}

function addDeployments(program: Command, host: Host): void {
  const group = program.command('deployments').description('Roll-outs: list, look, begin, move, end.');
  const load = () => import('./deployments.ts');
  const named = (name: string, description: string): Command =>
    group.command(name).description(description).argument('<deployment>', WHICH);

  common(group.command('list').description('List deployments, newest first.'))
    .addOption(new Option('--status <status>', 'only those').choices(DEPLOYMENT_STATUSES))
    .option('--queue <queue>', 'only of that queue')
    .option('--tenant <tenant>', 'only of that tenant')
    .action(async (options: CommonOptions & ListOptions) =>
      (await load()).listDeployments(await open(host, options), options),
    );
  common(named('get', 'Stable and canary side by side, checks and latest events.'))
    .option('-w, --watch', 'go on as it changes; on a terminal, drawn in place')
    .action(async (name: string, options: CommonOptions & { watch?: boolean }) => {
      const session = await open(host, options);
      if (options.watch !== true) return (await load()).getDeployment(session, name);
      if (options.output !== 'table')
        throw new UsageError(
          '--watch draws for people; for data there is: lanewise deployments events --follow -o json',
        );
      const { watch } = await import('./watch.ts');
      return watch(session, name, untilStopped(host));
    });
  common(group.command('create').description('Begin a deployment.').argument('<queue>', 'that it is for'))
    .requiredOption('--stable <version>', 'that runs now')
    .requiredOption('--canary <version>', 'that is new')
    .option('--tenant <tenant>', 'only for the jobs of that tenant')
    .addOption(new Option('--strategy <strategy>', 'how jobs reach workers').choices(ROUTING_STRATEGIES))
    .option('--percentage <share>', 'to begin with', toNumber)
    .option('--profile <profile>', 'settings to begin from')
    .option('--auto-promotion', 'go on by stages while it is healthy')
    .action(async (queue: string, options: CommonOptions & CreateOptions) =>
      (await load()).createDeployment(await open(host, options), {
        queue_name: queue,
        stable_version: options.stable,
        canary_version: options.canary,
        ...(options.tenant !== undefined && { tenant_id: options.tenant }),
        ...(options.strategy !== undefined && { routing_strategy: options.strategy }),
        ...(options.percentage !== undefined && { initial_percentage: options.percentage }),
        ...(options.profile !== undefined && { profile: options.profile as 'default' }),
        ...(options.autoPromotion === true && { auto_promotion: true }),
      }),
    );
  common(named('set', 'Change the share of the canary.'))
    .argument('<percentage>', '0 to 100, at most two decimals')
    .action(async (name: string, percentage: string, options: CommonOptions) =>
      (await load()).setPercentage(await open(host, options), name, percentage),
    );
  dangerous(named('promote', 'Make the canary version the stable one.')).action(
    async (name: string, options: CommonOptions) => (await load()).promote(await open(host, options), name),
  );
  dangerous(named('rollback', 'Take the canary version out.'))
    .option('--reason <text>', 'for the event, and for whoever looks later')
    .action(async (name: string, options: CommonOptions & { reason?: string }) =>
      (await load()).rollBack(await open(host, options), name, options.reason),
    );
  common(named('pause', 'Hold the percentage, whatever the judge finds.')).action(
    async (name: string, options: CommonOptions) => (await load()).pause(await open(host, options), name),
  );
  common(named('resume', 'Go on after a pause.')).action(async (name: string, options: CommonOptions) =>
    (await load()).resume(await open(host, options), name),
  );
  dangerous(named('delete', 'Delete a deployment that has ended, with its events.')).action(
    async (name: string, options: CommonOptions) =>
      (await load()).deleteDeployment(await open(host, options), name),
  );
  common(named('events', 'What has happened to it, oldest first.'))
    .option('-f, --follow', 'and go on; -o json prints a JSON text a line')
    .action(async (name: string, options: CommonOptions & { follow?: boolean }) => {
      const session = await open(host, options);
      if (options.follow !== true) return (await load()).showEvents(session, name);
      if (options.output === 'yaml') throw new UsageError('--follow prints lines, or JSON with -o json');
      return (await load()).follow(session, name, options.output === 'json', untilStopped(host));
    });
}

interface CreateOptions {
  readonly stable: string;
  readonly canary: string;
  readonly tenant?: string;
  readonly strategy?: RoutingStrategy;
  readonly percentage?: number;
  readonly profile?: string;
  readonly autoPromotion?: boolean;
}

function untilStopped(host: Host): AbortSignal {
  const stopped = new AbortController();
  void host.stopRequested().then(() => stopped.abort());
  return stopped.signal;
}

function addWorkers(program: Command, host: Host): void {
  const group = program.command('workers').description('Who runs the jobs.');
  const load = () => import('./workers.ts');
  const statuses = WORKER_STATUSES;
  common(group.command('list').description('List workers.'))
    .addOption(new Option('--lane <lane>', 'only those').choices(LANES))
    .addOption(new Option('--status <status>', 'only those').choices(statuses))
    .option('--queue <queue>', 'only those that serve it')
    .option('--of-version <version>', 'only those')
    .action(async (options: CommonOptions & WorkerFilter) =>
      (await load()).listWorkers(await open(host, options), options),
    );
  common(
    group
      .command('register')
      .description('Register a worker; the same id again replaces it.')
      .argument('<id>'),
  )
    .requiredOption('--worker-version <version>', 'that it runs')
    .requiredOption('--queues <queues>', 'that it serves, separated by commas')
    .option('--worker-url <url>', 'where it takes jobs')
    .option('--health-path <path>', 'of its url, that answers 2xx while it is well')
    .addOption(new Option('--lane <lane>', 'for versions that no deployment names').choices(LANES))
    .option('--weight <weight>', 'its share of the lane, 1 if left out', toNumber)
    .action(async (id: string, options: CommonOptions & RegisterOptions) =>
      (await load()).registerWorker(await open(host, options), {
        id,
        version: options.workerVersion,
        queues: options.queues.split(',').map((queue) => queue.trim()),
        ...(options.workerUrl !== undefined && { url: options.workerUrl }),
        ...(options.healthPath !== undefined && { health_path: options.healthPath }),
        ...(options.lane !== undefined && { lane: options.lane }),
        ...(options.weight !== undefined && { weight: options.weight }),
      }),
    );
  common(group.command('status').description('Say how a worker is doing.').argument('<id>'))
    .addArgument(new Argument('<status>').choices(statuses))
    .action(async (id: string, status: (typeof statuses)[number], options: CommonOptions) =>
      (await load()).setWorkerStatus(await open(host, options), id, status),
    );
  dangerous(
    group.command('delete').description('Take a worker out of the registry.').argument('<id>'),
  ).action(async (id: string, options: CommonOptions) =>
    (await load()).deleteWorker(await open(host, options), id),
  );
}

interface RegisterOptions {
  readonly workerVersion: string;
  readonly queues: string;
  readonly workerUrl?: string;
  readonly healthPath?: string;
  readonly lane?: Lane;
  readonly weight?: number;
}

function addQueues(program: Command, host: Host): void {
  const group = program.command('queues').description('What waits, and what has died.');
  const load = () => import('./queues.ts');
  common(group.command('list').description('List queues, with what waits in their lanes.')).action(
    async (options: CommonOptions) => (await load()).listQueues(await open(host, options)),
  );
  common(group.command('dead').description('The dead jobs of a queue, latest first.').argument('<queue>'))
    .option('--page <number>', 'of 100 each', toNumber, 1)
    .action(async (queue: string, options: CommonOptions & { page: number }) =>
      (await load()).listDead(await open(host, options), queue, options.page),
    );
  common(
    group
      .command('requeue')
      .description('Let dead jobs begin anew.')
      .argument('<queue>')
      .argument('[ids...]'),
  )
    .option('--all', 'all of them')
    .addOption(new Option('--lane <lane>', 'where they go').choices(LANES).default('stable'))
    .action(async (queue: string, ids: string[], options: CommonOptions & Selected & { lane: Lane }) =>
      (await load()).requeue(await open(host, options), queue, { ...options, ids }, options.lane),
    );
  dangerous(
    group.command('drop').description('Drop dead jobs for good.').argument('<queue>').argument('[ids...]'),
  )
    .option('--all', 'all of them')
    .action(async (queue: string, ids: string[], options: CommonOptions & Selected) =>
      (await load()).drop(await open(host, options), queue, { ...options, ids }),
    );
}

type Selected = Omit<DeadSelection, 'ids'>;
