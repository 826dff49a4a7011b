import type { ServerResponse } from 'node:http';
import { passedThrough } from './header-names.ts';

/**
 * An answer before the answer goes on to the producer, without what is between neighbours. 103 and the like are hints
 * that a producer may act on at once; a job that reports its progress by 102 keeps the connection in between awake.
 */
export function writeInformation(response: ServerResponse, status: number, raw: readonly string[]): void {
  // Node before 24.18 has no way to say them.
  if (response.headersSent || !('writeInformation' in response)) return;
  response.writeInformation(status, passedThrough(raw));
}
