import type { Routing } from '../../client/api-types.ts';
import type { Client } from '../../client/calls.ts';
import { ApiError } from '../../client/errors.ts';
import { paintOf } from './colours.ts';
import { inSync } from './figures.ts';
import { QUEUE_COLUMNS, queueRow } from './queues.ts';
import type { Session } from './session.ts';

/** `lanewise status`: the whole system on one screen. */

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed']);

/** @returns whether all is well: the store answers, no proxy lags, no worker is out */
export async function showStatus(session: Session): Promise<boolean> {
  const { client, colours } = session;
  const store = await storeState(client);
  if (store !== 'ok') {
    session.show({ url: client.url, store }, () => [
      `Control plane  ${client.url}`,
      `Store          ${colours.bad(store)}`,
    ]);
    return false;
  }
  const [{ deployments }, { workers }, { queues }] = await Promise.all([
    client.listDeployments(),
    client.listWorkers(),
    client.listQueues(),
  ]);
  const newest = deployments.find(({ status }) => !ENDED.has(status)) ?? deployments[0];
  const routing = newest === undefined ? undefined : (await client.getDeployment({ id: newest.id })).routing;
  const byStatus = { deployments: counts(deployments), workers: counts(workers) };
  session.show({ url: client.url, store, routing: routing ?? null, ...byStatus, queues }, () => [
    `Control plane  ${client.url}`,
    `Store          ${colours.good('ok')}`,
    `Proxies        ${routing === undefined ? 'unknown before the first deployment' : inSync(routing)}`,
    `Deployments    ${summary(byStatus.deployments, session)}`,
    `Workers        ${summary(byStatus.workers, session)}`,
    '',
    ...(queues.length === 0 ? ['No queues.'] : session.table(QUEUE_COLUMNS, queues.map(queueRow))),
  ]);
  return isSynced(routing) && workers.every(({ status }) => status === 'healthy' || status === 'degraded');
}

async function storeState(client: Client): Promise<string> {
  try {
    return (await client.isReady()).status;
  } catch (error) {
    if (error instanceof ApiError && error.status >= 500) return error.message;
    throw error;
  }
}

function isSynced(routing: Routing | undefined): boolean {
  return routing === undefined || (routing.proxies !== null && routing.proxies === routing.applied);
}

function counts(items: readonly { readonly status: string }[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(Object.groupBy(items, ({ status }) => status)).map(([status, list]) => [
      status,
      list!.length,
    ]),
  );
}

function summary(byStatus: Readonly<Record<string, number>>, { colours }: Session): string {
  const parts = Object.entries(byStatus).map(
    ([status, count]) => `${count} ${paintOf(status, colours)(status)}`,
  );
  return parts.length === 0 ? 'none' : parts.join(', ');
}
