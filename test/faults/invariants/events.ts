import type { Violations } from '../violations.ts';

/**
 * State and events agree: what the events of a deployment tell, one after the other, ends in its record. Both are stored
 * in one step, so neither may be without the other.
 */

export interface DeploymentView {
  readonly id: string;
  readonly status: string;
  readonly current_percent: number;
}

export interface EventView {
  readonly type: string;
  readonly actor: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** @param events oldest first */
export function checkEvents(
  record: DeploymentView,
  events: readonly EventView[],
  violations: Violations,
): void {
  const problem = problemOf(record, events);
  if (problem === undefined) return;
  const told = events.map(({ type, data }) => `${type} ${JSON.stringify(data)}`).join('; ');
  violations.add('state and events agree', `${record.id}: ${problem}. ${JSON.stringify(record)} ${told}`);
}

export function problemOf(record: DeploymentView, events: readonly EventView[]): string | undefined {
  let status: unknown;
  let percent: unknown;
  for (const [i, { type, data = {} }] of events.entries()) {
    if ((i === 0) !== (type === 'deployment_created')) return `its event ${i + 1} is ${type}`;
    if (i === 0) {
      status = 'active';
      percent = data['percentage'];
      continue;
    }
    if (data['old_percentage'] !== undefined && data['old_percentage'] !== percent)
      return `${type} goes on from ${JSON.stringify(data['old_percentage'])} %, not ${String(percent)} %`;
    if (data['old_status'] !== undefined && data['old_status'] !== status && !type.startsWith('health_'))
      return `${type} goes on from ${JSON.stringify(data['old_status'])}, not ${String(status)}`;
    percent = data['new_percentage'] ?? percent;
    if (!type.startsWith('health_')) status = data['new_status'] ?? status;
  }
  if (status !== record.status) return `its events end in ${String(status)}`;
  if (percent !== record.current_percent) return `its events end at ${String(percent)} %`;
  return undefined;
}
