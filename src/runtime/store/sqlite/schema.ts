/**
 * Revisions, versions and what is searched by are columns; the rest of a record is its JSON, so that a new field
 * needs no migration. `deployments.sequence` is the order of creation (clocks jump).
 */
export const SCHEMA_VERSION = 3;

/** "lane", so that somebody else's SQLite file is recognised before it is written to. */
export const APPLICATION_ID = 0x6c616e65;

/** What schema 2 added. */
const JUDGE_TABLES = `
  CREATE TABLE steps (
    deployment_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    last_bucket INTEGER NOT NULL,
    PRIMARY KEY (deployment_id, step)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE step_totals (
    deployment_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    field TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (deployment_id, step, field)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE judgements (
    deployment_id TEXT PRIMARY KEY,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE notices (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;

  CREATE INDEX notices_by_due ON notices (due, sequence);

  INSERT INTO meta (key, value) VALUES ('judge_fence', 0);
`;

/** The queues that a worker names, where its record is whole. @param row `new` or `old` */
const queuesIn = (row: string): string =>
  `json_each(iif(json_valid(${row}.routing), ${row}.routing, '{}'), '$.queues') AS named WHERE named.type = 'text'`;

/** What schema 3 added: whom a queue is served by. Whatever changes a worker, it follows. */
const SERVING = `
  CREATE TABLE serving (
    queue TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    PRIMARY KEY (queue, worker_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER worker_added AFTER INSERT ON workers BEGIN
    INSERT OR IGNORE INTO serving SELECT named.value, new.id FROM ${queuesIn('new')};
  END;

  CREATE TRIGGER worker_removed AFTER DELETE ON workers BEGIN
    DELETE FROM serving WHERE worker_id = old.id AND queue IN (SELECT named.value FROM ${queuesIn('old')});
  END;

  CREATE TRIGGER worker_changed AFTER UPDATE OF routing ON workers WHEN new.routing <> old.routing BEGIN
    DELETE FROM serving WHERE worker_id = old.id AND queue IN (SELECT named.value FROM ${queuesIn('old')});
    INSERT OR IGNORE INTO serving SELECT named.value, new.id FROM ${queuesIn('new')};
  END;
`;

export const SCHEMA = `
  CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value ANY NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE deployments (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    scope TEXT NOT NULL,
    queue TEXT NOT NULL,
    tenant TEXT,
    status TEXT NOT NULL,
    open INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;

  CREATE UNIQUE INDEX open_scopes ON deployments (scope) WHERE open = 1;
  CREATE INDEX deployments_by_status ON deployments (status);

  CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment_id TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT;

  CREATE INDEX events_by_deployment ON events (deployment_id, sequence);

  CREATE TABLE worker_activity (
    worker_id TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    processed INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    total_ms REAL NOT NULL,
    last_job_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE telemetry (
    deployment_id TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    field TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (deployment_id, bucket, field)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX telemetry_by_bucket ON telemetry (bucket);

  ${JUDGE_TABLES}

  CREATE TABLE routes (
    scope TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE answers (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    owner TEXT NOT NULL,
    answer TEXT,
    expires INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX answers_by_expiry ON answers (expires);

  CREATE TABLE workers (
    id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    routing TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  ${SERVING}
`;

/**
 * What makes of a schema the next one, by the number of the older; run in one transaction with all that follow. A
 * release that raises `SCHEMA_VERSION` adds one here, and never touches those that are there.
 */
export const MIGRATIONS: Readonly<Record<number, string>> = {
  1: JUDGE_TABLES,
  2: `${SERVING}
    INSERT OR IGNORE INTO serving SELECT named.value, stored.id FROM workers AS stored, ${queuesIn('stored')};`,
};
