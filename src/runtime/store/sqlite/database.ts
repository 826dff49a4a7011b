import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { v7 as uuid } from 'uuid';
import { LanewiseError } from '../../../core/errors.ts';
import { makeDataDir } from '../../data-dir.ts';
import { OperatorError } from '../../operator-error.ts';
import { damaged } from '../records.ts';
import { APPLICATION_ID, MIGRATIONS, SCHEMA, SCHEMA_VERSION } from './schema.ts';

export const DATABASE_FILE = 'lanewise.db';

/** A process that is just stopping may hold the lock for a moment; one that runs holds it for good. */
const LOCK_WAIT_MS = 1_000;

export type Row = Readonly<Record<string, unknown>>;

/** The file, opened and locked. Everything is synchronous, so that a transaction can't be interleaved with another. */
export interface Database {
  readonly path: string;
  all(sql: string, ...values: readonly SQLInputValue[]): readonly Row[];
  get(sql: string, ...values: readonly SQLInputValue[]): Row | undefined;
  run(sql: string, ...values: readonly SQLInputValue[]): void;
  /** All that `work` writes, or nothing. */
  transaction<T>(work: () => T): T;
  close(): void;
}

/** @throws OperatorError that names the directory and says what is needed. */
export function openDatabase(dataDir: string): Database {
  const path = join(dataDir, DATABASE_FILE);
  makeFile(dataDir, path);
  let db: DatabaseSync | undefined;
  try {
    const bytes = bytesOf(path);
    db = new DatabaseSync(path, { timeout: LOCK_WAIT_MS });
    prepare(db, bytes);
    return wrap(db, path);
  } catch (error) {
    if (db?.isOpen === true) db.close();
    throw openingError(dataDir, path, error);
  }
}

/** Makes the directory and the file for the owner only. */
function makeFile(dataDir: string, path: string): void {
  try {
    makeDataDir(dataDir);
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
  } catch (error) {
    throw new OperatorError(
      `the data directory ${dataDir} can't be used (${messageOf(error)}): it must be a directory that this process ` +
        'may create, or one in which it may write; LANEWISE_DATA_DIR names another one',
      { cause: error },
    );
  }
}

/**
 * Exclusive locking mode keeps the lock of the first write until the file is closed: one process owns the store, since
 * the bus that tells of changes is a part of that process. A crash frees the lock. WAL comes last, so that a file
 * which turns out to be somebody else's is left as it was.
 */
function prepare(db: DatabaseSync, bytes: number): void {
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  db.exec('BEGIN EXCLUSIVE');
  if (numberOf(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get(), 'n') === 0) create(db);
  const id = numberOf(db.prepare('PRAGMA application_id').get(), 'application_id');
  if (id !== APPLICATION_ID) throw new ForeignFileError();
  refuseDamage(db, bytes);
  const version = db.prepare("SELECT value FROM meta WHERE key = 'schema_version'").get()?.['value'];
  migrate(db, version);
  db.exec('COMMIT');
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = NORMAL');
}

function create(db: DatabaseSync): void {
  db.exec(SCHEMA);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  const insert = db.prepare('INSERT INTO meta (key, value) VALUES (?, ?)');
  insert.run('schema_version', SCHEMA_VERSION);
  insert.run('epoch', uuid());
  insert.run('revision', 0);
}

/** Writes the version in any case: it is the write that takes the lock for good. */
function migrate(db: DatabaseSync, from: unknown): void {
  if (typeof from !== 'number' || from > SCHEMA_VERSION) throw new SchemaError(from);
  for (let version = from; version < SCHEMA_VERSION; version++) {
    const migration = MIGRATIONS[version];
    if (migration === undefined) throw new SchemaError(from);
    db.exec(migration);
  }
  db.prepare("UPDATE meta SET value = ? WHERE key = 'schema_version'").run(SCHEMA_VERSION);
}

/** A file that was cut off opens well, and fails at some call later on. Reads all of it: 0.2 s for 10,000 deployments. */
function refuseDamage(db: DatabaseSync, bytes: number): void {
  const found = textOf(db.prepare('PRAGMA quick_check(1)').get(), 'quick_check');
  if (found !== 'ok') throw new DamagedFileError(found);
  // Part of a last page would be read as if it were whole.
  const pageBytes = numberOf(db.prepare('PRAGMA page_size').get(), 'page_size');
  if (bytes % pageBytes !== 0) throw new DamagedFileError('its last page was cut off');
}

/** Of the file, to be taken before it is opened: 0 if a crash left a log behind, which has what the file may lack. */
function bytesOf(path: string): number {
  return existsSync(`${path}-wal`) ? 0 : statSync(path).size;
}

class DamagedFileError extends Error {}

class SchemaError extends Error {
  readonly version: unknown;
  constructor(version: unknown) {
    super(`schema ${String(version)}, not ${SCHEMA_VERSION}`);
    this.version = version;
  }
}

class ForeignFileError extends Error {}

/** https://sqlite.org/rescode.html; the low byte is the primary code. */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function primaryCodeOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

function openingError(dataDir: string, path: string, cause: unknown): Error {
  const moveAway = `move ${path} away (a new one is made), or set LANEWISE_DATA_DIR to another directory`;
  const code = primaryCodeOf(cause);
  if (code === SQLITE_BUSY) {
    return new OperatorError(
      `the data directory ${dataDir} is in use by another Lanewise process: only one may run on it; stop that one, ` +
        'set LANEWISE_DATA_DIR to another directory, or set REDIS_URL to run several',
      { cause },
    );
  }
  if (code === SQLITE_CORRUPT || cause instanceof DamagedFileError) {
    return new OperatorError(
      `in the data directory ${dataDir}, ${DATABASE_FILE} is damaged (${messageOf(cause)}): ${moveAway}, and import ` +
        'the last backup there: lanewise import <file>',
      { cause },
    );
  }
  if (code === SQLITE_NOTADB || cause instanceof ForeignFileError) {
    return new OperatorError(
      `in the data directory ${dataDir}, ${DATABASE_FILE} is not a Lanewise store: ${moveAway}`,
      {
        cause,
      },
    );
  }
  if (cause instanceof SchemaError && typeof cause.version === 'number' && cause.version > SCHEMA_VERSION) {
    return new OperatorError(
      `in the data directory ${dataDir}, ${DATABASE_FILE} was written by a newer Lanewise (schema ${cause.version}; ` +
        `this one reads up to ${SCHEMA_VERSION}): run the newer one, or ${moveAway}`,
      { cause },
    );
  }
  if (cause instanceof SchemaError) {
    return new OperatorError(
      `in the data directory ${dataDir}, ${DATABASE_FILE} has schema ${String(cause.version)}, from which this ` +
        `Lanewise (schema ${SCHEMA_VERSION}) knows no way: run the one that wrote it, or ${moveAway}`,
      { cause },
    );
  }
  return new OperatorError(
    `in the data directory ${dataDir}, ${DATABASE_FILE} can't be opened (${messageOf(cause)}): the directory must be ` +
      `writable, on a disk that supports file locks and has space left; if the file is damaged, ${moveAway}`,
    { cause },
  );
}

function wrap(db: DatabaseSync, path: string): Database {
  const statements = new Map<string, StatementSync>();
  const statement = (sql: string): StatementSync => {
    let known = statements.get(sql);
    if (known === undefined) statements.set(sql, (known = db.prepare(sql)));
    return known;
  };
  return {
    path,
    all: (sql, ...values) => guarded(db, path, () => statement(sql).all(...values)),
    get: (sql, ...values) => guarded(db, path, () => statement(sql).get(...values)),
    run: (sql, ...values) => guarded(db, path, () => void statement(sql).run(...values)),
    transaction: (work) =>
      guarded(db, path, () => {
        statement('BEGIN IMMEDIATE').run();
        try {
          const result = work();
          statement('COMMIT').run();
          return result;
        } catch (error) {
          // SQLite has rolled back by itself after some errors (disk full, I/O).
          if (db.isTransaction) statement('ROLLBACK').run();
          throw error;
        }
      }),
    close() {
      if (db.isOpen) db.close();
    },
  };
}

/** SQLite's own errors (disk full, I/O, closed) mean that the store can't be reached; others pass. */
function guarded<T>(db: DatabaseSync, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (db.isOpen && primaryCodeOf(error) === undefined) throw error;
    const reason = db.isOpen ? messageOf(error) : 'it is closed';
    throw new LanewiseError('STORE_UNAVAILABLE', `the embedded store ${path} failed: ${reason}`, {
      cause: error,
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function numberOf(row: Row | undefined, column: string): number {
  const value = row?.[column];
  if (typeof value !== 'number') throw damaged('row', `${column} is not a number`);
  return value;
}

export function textOf(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (typeof value !== 'string') throw damaged('row', `${column} is not text`);
  return value;
}
