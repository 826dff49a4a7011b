import { v7 as uuid } from 'uuid';
import { isEnded } from '../../../core/deployment-states.ts';
import type { Deployment } from '../../../core/deployment.ts';
import { scopeKey, stampRoute, type Route } from '../../../core/route.ts';
import type { DamagedRecords } from '../damaged-records.ts';
import { damaged, deploymentRecord, eventRecord, routeRecord } from '../records.ts';
import type { DeploymentFilter, DeploymentPage, DeploymentStore } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { keepArguments, keepKeys } from './keeping.ts';
import { channelsOf, eventsKey, KEYS } from './keys.ts';
import { countOf, jsonAfter, pairsOf, saveResultOf, textOf, textsOf } from './replies.ts';

const { epoch, server, revision, routes, deployments, order, sequence, open, judge, judgements } = KEYS;

/** About as many. */
const ROUTES_AT_ONCE = 200;

export function createDeployments(connection: RedisConnection, damage: DamagedRecords): DeploymentStore {
  const { routes: channel, events: eventsChannel } = channelsOf(connection.db);

  /** @param limit -1: all of them */
  const list = async (
    { status, queue, tenant }: DeploymentFilter,
    offset: number,
    limit: number,
  ): Promise<DeploymentPage> => {
    const statuses = status === undefined ? [] : [status].flat();
    const isOpenOnly = statuses.length > 0 && !statuses.some(isEnded);
    const reply = await connection.run(
      'listDeployments',
      [deployments, order, open],
      [statuses.join(' '), queue ?? '', tenant ?? '', isOpenOnly ? '1' : '0', String(offset), String(limit)],
    );
    if (!Array.isArray(reply)) throw damaged('list of deployments', 'not a list');
    const [total, ...found]: readonly unknown[] = reply;
    return {
      total: countOf(textOf(total, 'number of deployments'), 'number of deployments'),
      deployments: damage.readable(
        pairsOf(found, 'list of deployments').map(([id, record]) => ({
          name: `deployment ${id}`,
          decode: () => decodeDeployment(id, record),
        })),
      ),
    };
  };

  return {
    async createDeployment({ deployment, route, basedOnRevision, events, notices, openMax }) {
      const reply = await connection.run(
        'createDeployment',
        [epoch, server, revision, routes, deployments, order, sequence, open, ...keepKeys(deployment.id)],
        [
          uuid(),
          channel,
          deployment.id,
          ...fieldsOf(deployment),
          routeRecord.encode(route),
          String(basedOnRevision),
          String(openMax),
          ...keepArguments(eventsChannel, events, notices),
        ],
      );
      const [kind, detail = ''] = textsOf(reply, 'result');
      switch (kind) {
        case 'exists':
          return { kind, deploymentId: detail };
        case 'limit':
          return { kind, open: countOf(detail, 'number of open deployments') };
        default:
          return saveResultOf(reply);
      }
    },

    async saveDeployment({ deployment, expectedVersion, route, events, notices, fence }) {
      const reply = await connection.run(
        'saveDeployment',
        [epoch, server, revision, routes, deployments, open, judge, ...keepKeys(deployment.id)],
        [
          uuid(),
          channel,
          deployment.id,
          String(expectedVersion),
          ...fieldsOf(deployment),
          route === undefined ? '' : routeRecord.encode(route),
          isEnded(deployment.status) ? '1' : '0',
          fence === undefined ? '' : String(fence),
          ...keepArguments(eventsChannel, events, notices),
        ],
      );
      return saveResultOf(reply);
    },

    async deleteDeployment(id, expectedVersion) {
      const keys = [epoch, server, revision, routes, deployments, order, open, eventsKey(id), judgements];
      const args = [uuid(), channel, id, String(expectedVersion), eventsChannel];
      return saveResultOf(await connection.run('deleteDeployment', keys, args));
    },

    async getDeployment(id) {
      const record = await connection.call('HGET', deployments, id);
      return record === null ? undefined : decodeDeployment(id, textOf(record, `deployment ${id}`));
    },

    async getRoutedDeployment(id) {
      const reply = await connection.run('readRoutedDeployment', [deployments, routes], [id]);
      const [record, ofRoute] = textsOf(reply, `deployment ${id}`);
      if (record === undefined) return undefined;
      const deployment = decodeDeployment(id, record);
      const scope = scopeKey(deployment.queue, deployment.tenant);
      return { deployment, route: ofRoute ? decodeRoute(scope, ofRoute) : undefined };
    },

    listDeployments: async (filter = {}) => (await list(filter, 0, -1)).deployments,

    pageDeployments: (filter, { offset, limit }) => list(filter, offset, Math.max(0, limit)),

    async listEvents(deploymentId) {
      const name = `event of ${deploymentId}`;
      const reply = await connection.call('LRANGE', eventsKey(deploymentId), '0', '-1');
      return damage.readable(
        textsOf(reply, name).map((json) => ({ name, decode: () => eventRecord.decode(json, name) })),
      );
    },

    async getRoute(queue, tenant) {
      const scope = scopeKey(queue, tenant);
      const record = await connection.call('HGET', routes, scope);
      return record === null ? undefined : decodeRoute(scope, textOf(record, `route ${scope}`));
    },

    async *walkRoutes() {
      // One that moves in the hash while it grows may come twice.
      const seen = new Set<string>();
      for (let cursor = '0'; ;) {
        const reply = await connection.call('HSCAN', routes, cursor, 'COUNT', String(ROUTES_AT_ONCE));
        if (!Array.isArray(reply)) throw damaged('routes', 'not a list');
        const [next, found]: readonly unknown[] = reply;
        const fresh = pairsOf(found, 'routes').filter(([scope]) => !seen.has(scope));
        for (const [scope] of fresh) seen.add(scope);
        yield damage.readable(
          fresh.map(([scope, record]) => ({
            name: `route ${scope}`,
            decode: () => decodeRoute(scope, record),
          })),
        );
        cursor = textOf(next, 'cursor');
        if (cursor === '0') return;
      }
    },
  };
}

function fieldsOf(deployment: Deployment): readonly string[] {
  return [
    String(deployment.version),
    deployment.status,
    scopeKey(deployment.queue, deployment.tenant),
    deploymentRecord.encode(deployment),
  ];
}

function decodeDeployment(id: string, record: string): Deployment {
  const name = `deployment ${id}`;
  return deploymentRecord.decode(jsonAfter(3, record, name), name);
}

/** A route is stored as it was written; the placeholders in it stand for the revision in front. */
export function decodeRoute(scope: string, record: string): Route {
  const name = `route ${scope}`;
  const [, digits] = /^(\d+) /.exec(record) ?? [];
  if (digits === undefined) throw damaged(name, 'no revision');
  return stampRoute(routeRecord.decode(jsonAfter(1, record, name), name), countOf(digits, name));
}
