import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/load.ts';
import { OperatorError } from '../src/runtime/operator-error.ts';
import type { WorkerTls } from './worker-address.ts';

/**
 * How workers at `https://` are spoken to.
 * @throws OperatorError naming what can't be read, or used
 */
export function readWorkerTls({ ca, cert, key }: Config['proxy']['worker_tls']): WorkerTls {
  if ((cert === undefined) !== (key === undefined))
    throw new OperatorError('proxy.worker_tls: cert and key go together; set both or neither');
  const tls: WorkerTls = {
    ...(ca !== undefined && { ca: read('ca', ca) }),
    ...(cert !== undefined && { cert: read('cert', cert) }),
    ...(key !== undefined && { key: read('key', key) }),
  };
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new OperatorError(`proxy.worker_tls: must be PEM, and cert and key a pair (${messageOf(error)})`);
  }
  return tls;
}

function read(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new OperatorError(`proxy.worker_tls.${name}: cannot read ${path} (${messageOf(error)})`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
