-- An embedded store as schema 1 had it: a promoted deployment, an active one at 25 %, a worker.
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
INSERT INTO meta (key, value) VALUES ('epoch', '01a20784-a1ea-7001-b001-2b1332bc4327');
INSERT INTO meta (key, value) VALUES ('revision', 5);
INSERT INTO meta (key, value) VALUES ('schema_version', 1);
INSERT INTO deployments (sequence, id, version, scope, queue, tenant, status, open, record) VALUES (1, 'canary_ended', 2, 'payments', 'payments', NULL, 'completed', 0, '{"id":"canary_ended","version":2,"queue":"payments","stableVersion":"v1.2.0","canaryVersion":"v1.3.0","currentPercent":12.25,"targetPercent":100,"status":"completed","startTime":1700000000001,"lastUpdate":1700000000000,"step":1,"activeFrom":0,"stepFrom":0,"config":{"routingStrategy":"hash_ring","stickyRouting":true,"autoPromotion":false,"maxCanaryDurationMs":7200000,"minCanaryDurationMs":300000,"drainTimeoutMs":60000,"metricsWindowMs":300000,"fallback":"stable","autoRollback":true,"analysis":"sequential","stages":[],"retryOnStable":false,"requiredKeys":0,"rollbackThresholds":{"maxErrorRateIncrease":5,"maxLatencyIncrease":50,"maxThroughputDecrease":20,"minSuccessRate":95,"requiredSampleSize":20}},"createdBy":"ops","metadata":{"empty":[],"nothing":{},"ratio":0.1,"big":9007199254740991,"text":"ä \"quoted\"\n☃ 1 2"}}');
INSERT INTO deployments (sequence, id, version, scope, queue, tenant, status, open, record) VALUES (2, 'canary_active', 2, 'mails|acme', 'mails', 'acme', 'active', 1, '{"id":"canary_active","version":2,"queue":"mails","stableVersion":"v1.2.0","canaryVersion":"v1.3.0","currentPercent":25,"targetPercent":100,"status":"active","startTime":1700000000002,"lastUpdate":1700000000000,"step":1,"activeFrom":0,"stepFrom":0,"config":{"routingStrategy":"hash_ring","stickyRouting":true,"autoPromotion":false,"maxCanaryDurationMs":7200000,"minCanaryDurationMs":300000,"drainTimeoutMs":60000,"metricsWindowMs":300000,"fallback":"stable","autoRollback":true,"analysis":"sequential","stages":[],"retryOnStable":false,"requiredKeys":0,"rollbackThresholds":{"maxErrorRateIncrease":5,"maxLatencyIncrease":50,"maxThroughputDecrease":20,"minSuccessRate":95,"requiredSampleSize":20}},"createdBy":"ops","metadata":{"empty":[],"nothing":{},"ratio":0.1,"big":9007199254740991,"text":"ä \"quoted\"\n☃ 1 2"},"tenant":"acme"}');
INSERT INTO events (sequence, deployment_id, record) VALUES (1, 'canary_ended', '{"id":"event_created","deploymentId":"canary_ended","type":"percentage_updated","message":"created","timestamp":1700000000000,"actor":"ops","data":{"reasons":[]}}');
INSERT INTO events (sequence, deployment_id, record) VALUES (2, 'canary_active', '{"id":"event_created","deploymentId":"canary_active","type":"percentage_updated","message":"created","timestamp":1700000000000,"actor":"ops","data":{"reasons":[]}}');
INSERT INTO events (sequence, deployment_id, record) VALUES (3, 'canary_active', '{"id":"event_to 25","deploymentId":"canary_active","type":"percentage_updated","message":"to 25","timestamp":1700000000000,"actor":"ops","data":{"reasons":[]}}');
INSERT INTO routes (scope, revision, record) VALUES ('mails|acme', 4, '{"queue":"mails","tenant":"acme","revision":4,"strategy":"hash_ring","stableVersion":"v1.2.0","superseded":[],"rejected":[],"split":{"deploymentId":"canary_active","canaryVersion":"v1.3.0","percentage":25,"step":2,"sticky":true,"fallback":"stable","retryOnStable":false,"countsKeys":false},"promotedAt":0,"decidedAt":3}');
INSERT INTO routes (scope, revision, record) VALUES ('payments', 2, '{"queue":"payments","revision":2,"strategy":"hash_ring","stableVersion":"v1.3.0","superseded":["v1.2.0"],"rejected":[],"promotedAt":2,"decidedAt":2}');
INSERT INTO workers (id, version, routing, record) VALUES ('worker-1', 1, '{"id":"worker-1","version":"v1.2.0","lane":"stable","queues":["payments"],"url":"http://127.0.0.1:3000","weight":1,"status":"healthy"}', '{"id":"worker-1","recordVersion":1,"version":"v1.2.0","lane":"stable","queues":["payments"],"url":"http://127.0.0.1:3000","weight":1,"status":"healthy","registeredAt":1700000000000,"lastSeen":1700000000000,"metrics":{"jobsProcessed":0,"jobsSucceeded":0,"jobsFailed":0,"avgProcessingTime":null,"memoryUsageMb":null,"cpuUsagePercent":null,"lastJobAt":null}}');
PRAGMA application_id = 1818324581;
