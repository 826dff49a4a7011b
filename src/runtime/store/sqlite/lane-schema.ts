/**
 * Tables of the lanes, made where they are missing: an addition that older files take without a new schema version.
 *
 * A job is one row for all its life. `position` orders the jobs of a lane, and the dead; a job that goes to the end of a
 * lane gets the next number, one that is taken keeps it, which is how it comes back to its old place. Consumers and
 * their leases are not here: they end with the process.
 */
export const LANE_TABLES = [
  `CREATE TABLE IF NOT EXISTS queue_jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    lane TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'taken', 'delayed', 'dead')),
    position INTEGER NOT NULL,
    consumer TEXT,
    receipt TEXT,
    due INTEGER,
    died_at INTEGER,
    reason TEXT,
    note TEXT NOT NULL,
    payload BLOB NOT NULL
  ) STRICT`,
  'CREATE INDEX IF NOT EXISTS queue_jobs_by_place ON queue_jobs (queue, state, lane, position)',
  "CREATE INDEX IF NOT EXISTS queue_jobs_by_due ON queue_jobs (queue, due) WHERE state = 'delayed'",
  "CREATE INDEX IF NOT EXISTS queue_jobs_by_death ON queue_jobs (queue, position) WHERE state = 'dead'",
  'CREATE INDEX IF NOT EXISTS queue_jobs_by_position ON queue_jobs (position)',
  "CREATE INDEX IF NOT EXISTS queue_jobs_by_receipt ON queue_jobs (consumer, receipt) WHERE state = 'taken'",

  `CREATE TABLE IF NOT EXISTS queue_ledger (
    queue TEXT NOT NULL,
    id TEXT NOT NULL,
    lane TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (queue, id)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX IF NOT EXISTS queue_ledger_by_expiry ON queue_ledger (expires)',

  `CREATE TABLE IF NOT EXISTS queue_fences (
    queue TEXT NOT NULL,
    scope TEXT NOT NULL,
    epoch TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (queue, scope)
  ) STRICT, WITHOUT ROWID`,
] as const;
