import { stampRoute } from '../../core/route.ts';
import type { RouteChange, RouteUpdate } from '../../core/routing-table.ts';
import { damaged, routedWorkerRecord, routeRecord } from './records.ts';

/**
 * A routing change on the wire: `<epoch> <revision> <kind> <json>`. The writer gives `<kind> <json>`; the script that
 * stores the change puts the epoch and the revision in front, so that it never has to take JSON apart (Redis' cjson
 * turns empty arrays into objects). A route's placeholders for "this revision" are filled in by the reader.
 */
export function encodeChange(change: RouteChange): string {
  switch (change.kind) {
    case 'route':
      return `route ${routeRecord.encode(change.route)}`;
    case 'worker':
      return `worker ${routedWorkerRecord.encode(change.worker)}`;
    case 'worker_removed':
      return `worker_removed ${JSON.stringify(change.workerId)}`;
    default:
      return change satisfies never;
  }
}

/** @throws LanewiseError INTERNAL for anything that `encodeChange` and the store did not make. */
export function decodeUpdate(message: string): RouteUpdate {
  const [, epoch, digits, kind, json] = /^(\S+) (\d+) (\w+) (.*)$/s.exec(message) ?? [];
  const revision = Number(digits);
  if (epoch === undefined || kind === undefined || json === undefined || !Number.isSafeInteger(revision)) {
    throw damaged('update', 'not "<epoch> <revision> <kind> <json>"');
  }
  return { epoch, revision, change: decodeChange(kind, json, revision) };
}

function decodeChange(kind: string, json: string, revision: number): RouteChange {
  switch (kind) {
    case 'route':
      return { kind, route: stampRoute(routeRecord.decode(json, 'update of a route'), revision) };
    case 'worker':
      return { kind, worker: routedWorkerRecord.decode(json, 'update of a worker') };
    case 'worker_removed':
      return { kind, workerId: decodeId(json) };
    default:
      throw damaged('update', `unknown kind ${kind}`);
  }
}

function decodeId(json: string): string {
  const [id] = /^"[\x21-\x7e]*"$/.exec(json) ?? [];
  if (id === undefined) throw damaged('update', 'no worker id');
  try {
    return String(JSON.parse(id));
  } catch (error) {
    throw damaged('update', 'no worker id', error);
  }
}
