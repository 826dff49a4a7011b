import { setImmediate as turn } from 'node:timers/promises';
import { isEnded } from '../../../core/deployment-states.ts';
import type { Deployment } from '../../../core/deployment.ts';
import { scopeKey, stampRoute, type Route } from '../../../core/route.ts';
import type { DamagedRecords } from '../damaged-records.ts';
import { deploymentRecord, eventRecord, routeRecord } from '../records.ts';
import type { CreateResult, DeploymentFilter, DeploymentStore, SaveResult } from '../store.ts';
import { numberOf, textOf, type Database, type Row } from './database.ts';
import type { EventBus } from './event-bus.ts';
import type { KeptEvent } from './event-log.ts';
import type { Keeping } from './keeping.ts';
import type { Revisions } from './revisions.ts';

/** A result, and the route and the events of the change, to be published once the transaction has committed. */
interface Step<R> {
  readonly result: R;
  readonly moved?: Route;
  readonly kept?: readonly KeptEvent[];
}

const ROUTES_AT_ONCE = 200;

export function createDeployments(
  db: Database,
  revisions: Revisions,
  bus: EventBus,
  { eventLog, keepNotices, lease }: Keeping,
  damage: DamagedRecords,
): DeploymentStore {
  const writeRoute = (route: Route): Route => {
    const stamped = stampRoute(route, revisions.next());
    db.run(
      `INSERT INTO routes (scope, revision, record) VALUES (?1, ?2, ?3)
       ON CONFLICT (scope) DO UPDATE SET revision = ?2, record = ?3`,
      scopeKey(route.queue, route.tenant),
      stamped.revision,
      routeRecord.encode(stamped),
    );
    return stamped;
  };

  const step = <R>(work: () => Step<R>): R => {
    const { result, moved, kept = [] } = db.transaction(work);
    if (moved !== undefined) revisions.publish(moved.revision, { kind: 'route', route: moved });
    eventLog.publish(kept);
    return result;
  };

  const isAt = (id: string, version: number): boolean => {
    const row = db.get('SELECT version FROM deployments WHERE id = ?', id);
    return row !== undefined && numberOf(row, 'version') === version;
  };

  const deploymentOf = (id: string): Deployment | undefined => {
    const row = db.get('SELECT id, record FROM deployments WHERE id = ?', id);
    return row === undefined ? undefined : decodeDeployment(row);
  };

  const routeOf = (scope: string): Route | undefined => {
    const row = db.get('SELECT record FROM routes WHERE scope = ?', scope);
    return row === undefined ? undefined : routeRecord.decode(textOf(row, 'record'), `route ${scope}`);
  };

  const readable = (rows: readonly Row[]): readonly Deployment[] =>
    damage.readable(
      rows.map((row) => ({ name: `deployment ${textOf(row, 'id')}`, decode: () => decodeDeployment(row) })),
    );

  return {
    async createDeployment({ deployment, route, basedOnRevision, events, notices = [], openMax }) {
      const scope = scopeKey(deployment.queue, deployment.tenant);
      return step((): Step<CreateResult> => {
        const taken = db.get(
          'SELECT id FROM deployments WHERE (scope = ? AND open = 1) OR id = ?',
          scope,
          deployment.id,
        );
        if (taken !== undefined) {
          return { result: { kind: 'exists', deploymentId: textOf(taken, 'id') } };
        }
        const open = numberOf(db.get('SELECT count(*) AS n FROM deployments WHERE open = 1'), 'n');
        if (open >= openMax) return { result: { kind: 'limit', open } };
        const current = db.get('SELECT revision FROM routes WHERE scope = ?', scope);
        if ((current === undefined ? 0 : numberOf(current, 'revision')) !== basedOnRevision) {
          return { result: { kind: 'stale' } };
        }
        db.run(
          `INSERT INTO deployments (id, version, scope, queue, tenant, status, open, record)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
          deployment.id,
          deployment.version,
          scope,
          deployment.queue,
          deployment.tenant ?? null,
          deployment.status,
          isEnded(deployment.status) ? 0 : 1,
          deploymentRecord.encode(deployment),
        );
        const kept = eventLog.keep(deployment.id, events);
        keepNotices(notices);
        const moved = writeRoute(route);
        return { result: { kind: 'saved', revision: moved.revision }, moved, kept };
      });
    },

    async saveDeployment({ deployment, expectedVersion, route, events, notices = [], fence }) {
      return step((): Step<SaveResult> => {
        if (!isAt(deployment.id, expectedVersion)) return { result: { kind: 'stale' } };
        if (fence !== undefined && !lease.isHeldWith(fence)) return { result: { kind: 'stale' } };
        db.run(
          'UPDATE deployments SET version = ?, status = ?, open = ?, record = ? WHERE id = ?',
          deployment.version,
          deployment.status,
          isEnded(deployment.status) ? 0 : 1,
          deploymentRecord.encode(deployment),
          deployment.id,
        );
        const kept = eventLog.keep(deployment.id, events);
        keepNotices(notices);
        if (route === undefined) {
          return { result: { kind: 'saved', revision: revisions.head().revision }, kept };
        }
        const moved = writeRoute(route);
        return { result: { kind: 'saved', revision: moved.revision }, moved, kept };
      });
    },

    async deleteDeployment(id, expectedVersion) {
      const result = step((): Step<SaveResult> => {
        if (!isAt(id, expectedVersion)) return { result: { kind: 'stale' } };
        db.run('DELETE FROM deployments WHERE id = ?', id);
        for (const table of ['events', 'judgements', 'steps', 'step_totals']) {
          db.run(`DELETE FROM ${table} WHERE deployment_id = ?`, id);
        }
        return { result: { kind: 'saved', revision: revisions.head().revision } };
      });
      if (result.kind === 'saved') bus.deleted(id);
      return result;
    },

    getDeployment: async (id) => deploymentOf(id),

    async getRoutedDeployment(id) {
      const deployment = deploymentOf(id);
      return deployment && { deployment, route: routeOf(scopeKey(deployment.queue, deployment.tenant)) };
    },

    async listDeployments(filter = {}) {
      const sql = `SELECT id, record FROM deployments WHERE ${MATCHES} ORDER BY sequence DESC`;
      return readable(db.all(sql, ...wordsOf(filter)));
    },

    async pageDeployments(filter, { offset, limit }) {
      const words = wordsOf(filter);
      const counted = db.get(`SELECT count(*) AS n FROM deployments WHERE ${MATCHES}`, ...words);
      const sql = `SELECT id, record FROM deployments WHERE ${MATCHES} ORDER BY sequence DESC LIMIT ?4 OFFSET ?5`;
      const rows = db.all(sql, ...words, Math.max(0, limit), offset);
      return { total: numberOf(counted, 'n'), deployments: readable(rows) };
    },

    async listEvents(deploymentId) {
      const rows = db.all(
        'SELECT record FROM events WHERE deployment_id = ? ORDER BY sequence DESC',
        deploymentId,
      );
      const name = `event of ${deploymentId}`;
      return damage.readable(
        rows.map((row) => ({ name, decode: () => eventRecord.decode(textOf(row, 'record'), name) })),
      );
    },

    getRoute: async (queue, tenant) => routeOf(scopeKey(queue, tenant)),

    async *walkRoutes() {
      for (let last = ''; ;) {
        const rows = db.all(
          'SELECT scope, record FROM routes WHERE scope > ? ORDER BY scope LIMIT ?',
          last,
          ROUTES_AT_ONCE,
        );
        yield damage.readable(
          rows.map((row) => {
            const name = `route ${textOf(row, 'scope')}`;
            return { name, decode: () => routeRecord.decode(textOf(row, 'record'), name) };
          }),
        );
        if (rows.length < ROUTES_AT_ONCE) return;
        last = textOf(rows.at(-1), 'scope');
        // What else is waiting has its turn.
        await turn();
      }
    },
  };
}

/** Statuses come as a JSON list. */
const MATCHES = `(?1 IS NULL OR status IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR queue = ?2)
  AND (?3 IS NULL OR tenant = ?3)`;

function wordsOf({ status, queue, tenant }: DeploymentFilter): readonly (string | null)[] {
  const statuses = status === undefined ? null : JSON.stringify([status].flat());
  return [statuses, queue ?? null, tenant ?? null];
}

function decodeDeployment(row: Row): ReturnType<typeof deploymentRecord.decode> {
  return deploymentRecord.decode(textOf(row, 'record'), `deployment ${textOf(row, 'id')}`);
}
