import { z } from 'zod';
import { OperatorError } from '../operator-error.ts';
import type { BackedUpDeployment, Backup } from './backup-store.ts';
import { deploymentSchema, eventSchema, routeSchema, workerSchema } from './records.ts';

/**
 * A backup as text: JSON, a record a line, so that it can be read, searched and compared. The first line says what it
 * is, the last one how much there must be: a file that was cut off is not taken for a small one.
 */

const FORMAT = 1;

const headSchema = z.looseObject({
  lanewise: z.literal('backup'),
  format: z.int(),
  taken_at: z.iso.datetime(),
  revision: z.int(),
});

const endSchema = z.strictObject({ deployments: z.int(), routes: z.int(), workers: z.int() });

const lineSchema = z.union([
  z.strictObject({ deployment: deploymentSchema, events: z.array(eventSchema) }),
  z.strictObject({ route: routeSchema }),
  z.strictObject({ worker: workerSchema }),
  z.strictObject({ end: endSchema }),
]);

export function printBackup(backup: Backup, takenAt: Date): string {
  const { revision, deployments, routes, workers } = backup;
  const lines = [
    { lanewise: 'backup', format: FORMAT, taken_at: takenAt.toISOString(), revision },
    ...deployments,
    ...routes.map((route) => ({ route })),
    ...workers.map((worker) => ({ worker })),
    { end: { deployments: deployments.length, routes: routes.length, workers: workers.length } },
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** @throws OperatorError that names the line and what is wrong with it. */
export function parseBackup(text: string): Backup {
  const [first = '', ...rest] = text.split('\n');
  const { revision } = headOf(first);
  const deployments: BackedUpDeployment[] = [];
  const routes: Backup['routes'][number][] = [];
  const workers: Backup['workers'][number][] = [];
  for (const [i, json] of rest.entries()) {
    const line = lineOf(json, i + 2);
    if ('deployment' in line) deployments.push(line);
    else if ('route' in line) routes.push(line.route);
    else if ('worker' in line) workers.push(line.worker);
    else {
      const { end } = line;
      if (
        end.deployments !== deployments.length ||
        end.routes !== routes.length ||
        end.workers !== workers.length ||
        rest.slice(i + 1).some((more) => more !== '')
      ) {
        throw new OperatorError('the backup is not as it was written: its last line counts other records');
      }
      return { revision, deployments, routes, workers };
    }
  }
  throw new OperatorError('the backup was cut off: its last line is missing');
}

function headOf(line: string): z.infer<typeof headSchema> {
  const head = headSchema.safeParse(jsonOf(line));
  if (!head.success) throw new OperatorError('this is no backup that Lanewise has written');
  if (head.data.format > FORMAT) {
    throw new OperatorError(
      `the backup has format ${head.data.format}, of a newer release; this one reads up to ${FORMAT}`,
    );
  }
  return head.data;
}

function lineOf(json: string, number: number): z.infer<typeof lineSchema> {
  if (json === '') throw new OperatorError('the backup was cut off: its last line is missing');
  const line = lineSchema.safeParse(jsonOf(json));
  if (line.success) return line.data;
  throw new OperatorError(`line ${number} of the backup is damaged: ${z.prettifyError(line.error)}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
