import type { Deployment, DeploymentEvent, DeploymentRequest, Routing } from '../../client/api-types.ts';
import type { Client } from '../../client/calls.ts';
import { followEvents } from '../../client/events.ts';
import { UsageError } from '../exit-codes.ts';
import { deploymentLines, plain, type DeploymentFacts } from './deployment-view.ts';
import { paintOf } from './colours.ts';
import { age, inSync, percent } from './figures.ts';
import { findDeployment, findDeploymentToRead } from './find-deployment.ts';
import type { Session } from './session.ts';

/** `lanewise deployments …`: what each command does, once it knows whom to ask. */

export interface ListOptions {
  readonly status?: Deployment['status'];
  readonly queue?: string;
  readonly tenant?: string;
}

export async function listDeployments(
  session: Session,
  { status, queue, tenant }: ListOptions,
): Promise<void> {
  const { deployments } = await session.client.listDeployments({
    status,
    queue_name: queue,
    tenant_id: tenant,
  });
  const now = new Date();
  session.show(deployments, () =>
    deployments.length === 0
      ? ['No deployments. Begin one: lanewise deployments create <queue> --stable v1 --canary v2']
      : session.table(
          [
            { title: 'ID' },
            { title: 'QUEUE' },
            { title: 'STABLE' },
            { title: 'CANARY' },
            { title: 'SHARE', align: 'right' },
            { title: 'STATUS' },
            { title: 'AGE', align: 'right' },
          ],
          deployments.map((d) => [
            d.id,
            d.tenant_id === undefined ? d.queue_name : `${d.queue_name} (${d.tenant_id})`,
            d.stable_version,
            d.canary_version,
            percent(d.current_percent),
            { text: d.status, paint: paintOf(d.status, session.colours) },
            age(d.start_time, now),
          ]),
        ),
  );
}

/** All that a screen shows of one. */
export async function factsOf(client: Client, id: string, signal?: AbortSignal): Promise<DeploymentFacts> {
  const [deployment, health, { data: events }] = await Promise.all([
    client.getDeployment({ id, signal }),
    client.getHealth({ id, signal }),
    client.listDeploymentEvents({ id, page: 1, page_size: 5, signal }),
  ]);
  return { deployment, health, events };
}

export async function getDeployment(session: Session, name: string): Promise<void> {
  const facts = await factsOf(session.client, await findDeploymentToRead(session.client, name));
  session.show(facts.deployment, () => deploymentLines(facts, session.colours, new Date()));
}

export async function createDeployment(session: Session, body: DeploymentRequest): Promise<void> {
  const created = await session.client.createDeployment({ body });
  session.show(created, () => [
    `Created ${created.id} at ${percent(created.current_percent)}: ${inSync(created.routing)}`,
  ]);
}

/** Sent with the version that it was read at, so that what is printed is what has happened. */
export async function setPercentage(session: Session, name: string, text: string): Promise<void> {
  const percentage = Number(text.replace(/ ?%$/, ''));
  if (text.trim() === '' || Number.isNaN(percentage)) {
    throw new UsageError(
      `The percentage must be a number from 0 to 100 with at most two decimals, got ${JSON.stringify(text)}`,
    );
  }
  const { client } = session;
  const id = await findDeployment(client, name);
  const { body: before, etag } = await client.exchange('getDeployment', { id });
  const changed = await client.setPercentage({ id, body: { percentage }, ifMatch: etag });
  session.show(changed, () => [
    `${plain(before.queue_name)}: ${percent(before.current_percent)} → ${percent(changed.percentage)} canary, ${inSync(changed.routing)}`,
  ]);
}

export async function promote(session: Session, name: string): Promise<void> {
  const { client } = session;
  const id = await findDeployment(client, name);
  const { body: d, etag } = await client.exchange('getDeployment', { id });
  await session.confirm(
    `Promote ${plain(d.canary_version)} of ${plain(d.queue_name)}, which has ${percent(d.current_percent)} and is ${d.health}, to all jobs?`,
  );
  showMoved(session, await client.promoteDeployment({ id, body: {}, ifMatch: etag }));
}

/** Unconditional: a step of the judge's in between is no reason to leave a bad version in. */
export async function rollBack(session: Session, name: string, reason: string | undefined): Promise<void> {
  const { client } = session;
  const id = await findDeployment(client, name);
  const d = await client.getDeployment({ id });
  await session.confirm(
    `Take ${plain(d.canary_version)} out of ${plain(d.queue_name)}, where it has ${percent(d.current_percent)} of the jobs?`,
  );
  showMoved(session, await client.rollBackDeployment({ id, body: reason === undefined ? {} : { reason } }));
}

function showMoved(session: Session, answer: { readonly message: string; readonly routing: Routing }): void {
  session.show(answer, () => [`${answer.message}: ${inSync(answer.routing)}`]);
}

export async function pause(session: Session, name: string): Promise<void> {
  const id = await findDeployment(session.client, name);
  const d = await session.client.pauseDeployment({ id });
  session.show(d, () => [`Paused ${plain(d.queue_name)} at ${percent(d.current_percent)}`]);
}

export async function resume(session: Session, name: string): Promise<void> {
  const id = await findDeployment(session.client, name);
  const d = await session.client.resumeDeployment({ id });
  session.show(d, () => [`Resumed ${plain(d.queue_name)} at ${percent(d.current_percent)}`]);
}

export async function deleteDeployment(session: Session, name: string): Promise<void> {
  const { client } = session;
  const id = await findDeployment(client, name);
  const { body: d, etag } = await client.exchange('getDeployment', { id });
  await session.confirm(`Delete ${id} of ${plain(d.queue_name)} (${d.status}), with its events?`);
  await client.deleteDeployment({ id, ifMatch: etag });
  session.show({ id }, () => [`Deleted ${id}`]);
}

/** Oldest first, as a log is read. */
export async function showEvents(session: Session, name: string): Promise<void> {
  const id = await findDeploymentToRead(session.client, name);
  const { events } = await session.client.listDeploymentEvents({ id });
  const inOrder = events.toReversed();
  session.show(inOrder, () => inOrder.map(eventLine));
}

function eventLine({ timestamp, type, actor, message }: DeploymentEvent): string {
  return `${timestamp}  ${type}  ${plain(actor)}  ${plain(message)}`;
}

/** What has happened, and then what happens, a line each: JSON where data is wanted. Ends with the deployment. */
export async function follow(
  session: Session,
  name: string,
  isData: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { client, host } = session;
  const id = await findDeploymentToRead(client, name);
  const { events } = await client.listDeploymentEvents({ id });
  for (const event of events.toReversed()) host.print(isData ? JSON.stringify(event) : eventLine(event));
  for await (const frame of followEvents(client, id, { since: events[0]?.id, signal })) {
    if (isData) host.print(JSON.stringify(frame));
    else if (frame.id !== undefined) {
      host.print(`${frame.timestamp}  ${frame.type}  ${plain(JSON.stringify(frame.data))}`);
    } else if (frame.type === 'health_status_changed') {
      host.print(`${frame.timestamp}  ${frame.type}  ${plain(JSON.stringify(frame.data))}`);
    }
  }
}
