import { LanewiseError } from '../../core/errors.ts';
import type { Logger } from '../log.ts';

/**
 * One damaged record must not take the others along: whoever lists gets those that can be read, so that a canary is
 * judged although the record of another one is broken. What is left out is said in the log when it is first met, and
 * when it can be read again.
 */
export interface DamagedRecords {
  /** Those of them that can be read. Entries may share a name. */
  readable<T>(entries: Iterable<RecordToRead<T>>): readonly T[];
  /** What was left out, each by its name and reason, and has not been read since. */
  list(): readonly string[];
}

export interface RecordToRead<T> {
  /** As in the message of the error. */
  readonly name: string;
  readonly decode: () => T;
}

export function createDamagedRecords(log: Logger | undefined): DamagedRecords {
  const known = new Map<string, string>();
  return {
    readable(entries) {
      const whole = [];
      const read = new Set<string>();
      const broken = new Map<string, string>();
      for (const { name, decode } of entries) {
        try {
          whole.push(decode());
          read.add(name);
        } catch (error) {
          if (!(error instanceof LanewiseError)) throw error;
          broken.set(name, error.message);
        }
      }
      for (const [name, reason] of broken) {
        if (known.get(name) === reason) continue;
        known.set(name, reason);
        log?.error({ reason }, 'a damaged record is left out until it is repaired or deleted');
      }
      for (const name of read) {
        if (broken.has(name) || !known.delete(name)) continue;
        log?.info({ record: name }, 'a record that was damaged can be read again');
      }
      return whole;
    },
    list: () => [...known.values()],
  };
}
