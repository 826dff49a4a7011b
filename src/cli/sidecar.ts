import { isIP } from 'node:net';
import { LANES, type Lane } from '../core/lane.ts';
import { HEALTH_PATH, IDENTIFIER, isNamed, QUEUE_NAME, type NameGrammar } from '../core/names.ts';
import type { WorkerRequest } from '../core/worker-changes.ts';
import { bareHost } from '../runtime/addresses/address-allow.ts';
import { createWorkerAllow } from '../runtime/addresses/worker-allow.ts';
import { OperatorError } from '../runtime/operator-error.ts';

/** `lanewise proxy --worker …`: the worker beside the proxy, as the command line describes it. */
export interface SidecarOptions {
  readonly worker?: string;
  readonly version?: string;
  readonly queues?: string;
  readonly lane: string;
  readonly healthPath?: string;
  readonly workerId?: string;
}

/**
 * @returns undefined where no worker is named
 * @throws OperatorError with every problem
 */
export function sidecarWorker(options: SidecarOptions, hostName: string): WorkerRequest | undefined {
  const { worker, version, queues, lane, workerId, healthPath } = options;
  const problems: string[] = [];
  if (worker === undefined) {
    for (const [option, value] of [
      ['--version', version],
      ['--queues', queues],
      ['--worker-id', workerId],
      ['--health-path', healthPath],
    ]) {
      if (value !== undefined) problems.push(`${option}: goes with --worker`);
    }
    refuse(problems);
    return undefined;
  }
  const url = URL.parse(worker);
  if (url === null || !['http:', 'https:', 'unix:'].includes(url.protocol) || url.username !== '') {
    problems.push(
      `--worker: ${worker} must be an http or https URL without credentials, such as http://127.0.0.1:3000, or a Unix socket, such as unix:/run/worker.sock`,
    );
  }
  const names = (queues ?? '').split(',').map((name) => name.trim());
  for (const name of names) check('--queues', name, QUEUE_NAME, problems);
  check('--version', version ?? '', IDENTIFIER, problems);
  if (!isLane(lane)) problems.push(`--lane: ${lane} must be one of ${LANES.join(', ')}`);
  const id = workerId ?? `${hostName}-${url?.port === '' ? 'default' : url?.port}`;
  check('--worker-id', id, IDENTIFIER, problems);
  if (healthPath !== undefined) check('--health-path', healthPath, HEALTH_PATH, problems);
  refuse(problems);
  return {
    id,
    version: version!,
    lane: lane as Lane,
    queues: names,
    url: worker.replace(/\/+$/, ''),
    ...(healthPath !== undefined && { healthPath }),
    weight: 1,
  };
}

/**
 * An address that this proxy itself would not connect to. What a name leads to is seen at each connection.
 * @throws OperatorError
 */
export function refuseOwnWorker({ url }: WorkerRequest, allow: readonly string[]): void {
  const host = bareHost(URL.parse(url ?? '')?.hostname ?? '');
  const problem = isIP(host) > 0 ? createWorkerAllow(allow).addresses.problemOf(host) : undefined;
  if (problem !== undefined) refuse([`--worker: ${url} ${problem}`]);
}

function check(option: string, value: string, grammar: NameGrammar, problems: string[]): void {
  if (!isNamed(grammar, value))
    problems.push(`${option}: ${JSON.stringify(value)} must be ${grammar.accepted}`);
}

function isLane(text: string): text is Lane {
  return (LANES as readonly string[]).includes(text);
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new OperatorError(`The options are not valid:\n  ${problems.join('\n  ')}`);
}
