import { AsyncLocalStorage } from 'node:async_hooks';
import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

/** Fields of every line that is logged during some work, wherever in it. */
const fields = new AsyncLocalStorage<Readonly<Record<string, unknown>>>();

/** JSON lines, one for each change of state, none for a dispatch. Tokens and bodies are never passed to it. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin: () => ({ ...fields.getStore() }),
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** What `work` logs, and what it starts, carries these fields. */
export function withLogFields<T>(added: Readonly<Record<string, unknown>>, work: () => T): T {
  return fields.run({ ...fields.getStore(), ...added }, work);
}
