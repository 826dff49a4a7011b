import { noteActivity } from './activity-scripts.ts';
import { BULLMQ_SCRIPTS } from './bullmq-scripts.ts';
import { CHANGE } from './change-scripts.ts';
import { CHECK_KEY_TYPES } from './key-types.ts';
import { INTAKE_SCRIPTS } from './intake-scripts.ts';
import { claimJudgeLease, releaseJudgeLease, saveJudgement } from './judge-scripts.ts';
import { listDeployments, readRoutedDeployment } from './list-scripts.ts';
import { PRELUDE } from './prelude.ts';
import { restore, seed } from './restore-scripts.ts';
import { postponeNotice, settleNotice, takeNotices } from './outbox-scripts.ts';
import { LANE_SCRIPTS } from './lane-scripts.ts';
import { LANE_TAKE_SCRIPTS } from './lane-take-scripts.ts';
import { claimRequest, settleRequest, takeToken } from './request-scripts.ts';
import { listServedQueues, listWorkers, SERVING } from './serving-scripts.ts';
import { readStep, readTelemetry, recordTelemetry } from './telemetry-scripts.ts';

interface ScriptDefinition {
  readonly lua: string;
  readonly numberOfKeys: number;
}

/** KEYS: epoch, server, revision, routes, deployments, order, sequence, open, and `keep`'s. */
const createDeployment = `${PRELUDE}${CHANGE}
local epoch = lanewise_epoch(KEYS[4])
local id, version, status, scope, json, route, based_on, open_max =
  ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10])
local taken = redis.call('HGET', KEYS[8], scope)
if not taken and redis.call('HEXISTS', KEYS[5], id) == 1 then taken = id end
if taken then return {'exists', taken} end
local open = redis.call('HLEN', KEYS[8])
if open >= open_max then return {'limit', tostring(open)} end
if head_of(redis.call('HGET', KEYS[4], scope)) ~= based_on then return {'stale', ''} end
local revision, publish = move(epoch, 'route ' .. route)
redis.call('HSET', KEYS[5], id, version .. ' ' .. status .. ' ' .. scope .. ' ' .. json)
redis.call('ZADD', KEYS[6], redis.call('INCR', KEYS[7]), id)
redis.call('HSET', KEYS[8], scope, id)
redis.call('HSET', KEYS[4], scope, revision .. ' ' .. route)
local publish_events = keep(11)
publish()
publish_events()
return {'saved', revision}
`;

/** KEYS: epoch, server, revision, routes, deployments, open, lease, and `keep`'s. An empty route moves nothing. */
const saveDeployment = `${PRELUDE}${CHANGE}
local epoch = lanewise_epoch(KEYS[4])
local id, expected, version, status, scope, json, route, ended =
  ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local stored = redis.call('HGET', KEYS[5], id)
if not stored or head_of(stored) ~= expected then return {'stale', ''} end
if not holds_fence(KEYS[7], ARGV[11]) then return {'stale', ''} end
redis.call('HSET', KEYS[5], id, version .. ' ' .. status .. ' ' .. scope .. ' ' .. json)
if ended == '1' and redis.call('HGET', KEYS[6], scope) == id then redis.call('HDEL', KEYS[6], scope) end
local publish_events = keep(12)
if route == '' then
  publish_events()
  return {'saved', redis.call('GET', KEYS[3])}
end
local revision, publish = move(epoch, 'route ' .. route)
redis.call('HSET', KEYS[4], scope, revision .. ' ' .. route)
publish()
publish_events()
return {'saved', revision}
`;

/** KEYS: epoch, server, revision, routes, deployments, order, open, events, judgements. */
const deleteDeployment = `${PRELUDE}
lanewise_epoch(KEYS[4])
local id, expected = ARGV[3], ARGV[4]
local stored = redis.call('HGET', KEYS[5], id)
if not stored or head_of(stored) ~= expected then return {'stale', ''} end
redis.call('HDEL', KEYS[5], id)
redis.call('ZREM', KEYS[6], id)
local scope = string.match(stored, '^%S+ %S+ (%S+) ')
if scope and redis.call('HGET', KEYS[7], scope) == id then redis.call('HDEL', KEYS[7], scope) end
redis.call('DEL', KEYS[8])
redis.call('HDEL', KEYS[9], id)
redis.call('PUBLISH', ARGV[5], 'deleted ' .. id)
return {'saved', redis.call('GET', KEYS[3])}
`;

/** KEYS: epoch, server, revision, routes, workers, routing, serving. */
const saveWorker = `${PRELUDE}${SERVING}
local epoch = lanewise_epoch(KEYS[4])
local id, expected, version, json, routing = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if head_of(redis.call('HGET', KEYS[5], id)) ~= expected then return {'stale', ''} end
redis.call('HSET', KEYS[5], id, version .. ' ' .. json)
local before = redis.call('HGET', KEYS[6], id)
if before == routing then return {'saved', redis.call('GET', KEYS[3])} end
note_serving(KEYS[7], id, before, routing)
local revision, publish = move(epoch, 'worker ' .. routing)
redis.call('HSET', KEYS[6], id, routing)
publish()
return {'saved', revision}
`;

/** KEYS: epoch, server, revision, routes, workers, routing, serving, activity. */
const removeWorker = `${PRELUDE}${SERVING}
local epoch = lanewise_epoch(KEYS[4])
local id, expected, change = ARGV[3], ARGV[4], ARGV[5]
local stored = redis.call('HGET', KEYS[5], id)
if not stored or head_of(stored) ~= expected then return {'stale', ''} end
local revision, publish = move(epoch, change)
forget_serving(KEYS[7], id, redis.call('HGET', KEYS[6], id))
redis.call('HDEL', KEYS[5], id)
redis.call('HDEL', KEYS[6], id)
redis.call('HDEL', KEYS[8], id)
publish()
return {'saved', revision}
`;

/** KEYS: any of ours, so that on a Cluster the node is asked by whose clock the leases run. */
const readTime = `
local time = redis.call('TIME')
return string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
`;

/** KEYS: epoch, server, revision, routes. */
const readHead = `${PRELUDE}
return {lanewise_epoch(KEYS[4]), redis.call('GET', KEYS[3])}
`;

/** KEYS: epoch, server, revision, routes, routing. */
const readSnapshot = `${PRELUDE}
local epoch = lanewise_epoch(KEYS[4])
return {epoch, redis.call('GET', KEYS[3]), redis.call('HGETALL', KEYS[4]), redis.call('HGETALL', KEYS[5])}
`;

/** Leases run by the server's clock, the only one that all proxies share. KEYS: leases, reports. */
const LEASE_TIME = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
`;

/** Lets go of those that have run out. Not with every report: after a change a thousand come at once. */
const LEASES = `${LEASE_TIME}
local expired = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
for _, proxy in ipairs(expired) do
  redis.call('ZREM', KEYS[1], proxy)
  redis.call('HDEL', KEYS[2], proxy)
end
`;

const reportApplied = `${LEASE_TIME}
local channel, proxy, report, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
redis.call('ZADD', KEYS[1], string.format('%.0f', now + lease), proxy)
redis.call('HSET', KEYS[2], proxy, report)
redis.call('PUBLISH', channel, proxy)
return 'OK'
`;

const withdrawReport = `${LEASES}
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 'OK'
`;

const listReports = `${LEASES}
return redis.call('HGETALL', KEYS[2])
`;

/** Of the control plane's state. Telemetry, buckets and answers have keys of their own, one or few a script. */
const STATE_SCRIPTS = {
  restore: checked(restore, 12),
  seed: checked(seed, 9),
  createDeployment: checked(createDeployment, 12),
  saveDeployment: checked(saveDeployment, 11),
  deleteDeployment: checked(deleteDeployment, 9),
  listDeployments: checked(listDeployments, 3),
  readRoutedDeployment: checked(readRoutedDeployment, 2),
  saveWorker: checked(saveWorker, 7),
  removeWorker: checked(removeWorker, 8),
  listWorkers: checked(listWorkers, 3),
  listServedQueues: checked(listServedQueues, 3),
  noteActivity: checked(noteActivity, 2),
  readHead: checked(readHead, 4),
  readSnapshot: checked(readSnapshot, 5),
  reportApplied: checked(reportApplied, 2),
  withdrawReport: checked(withdrawReport, 2),
  listReports: checked(listReports, 2),
  claimJudgeLease: checked(claimJudgeLease, 1),
  releaseJudgeLease: checked(releaseJudgeLease, 1),
  saveJudgement: checked(saveJudgement, 7),
  takeNotices: checked(takeNotices, 3),
  settleNotice: checked(settleNotice, 3),
  postponeNotice: checked(postponeNotice, 3),
} as const;

function checked(lua: string, numberOfKeys: number): ScriptDefinition {
  return { lua: `${CHECK_KEY_TYPES}${lua}`, numberOfKeys };
}

export const SCRIPTS = {
  ...STATE_SCRIPTS,
  readTime: { lua: readTime, numberOfKeys: 1 },
  recordTelemetry: { lua: recordTelemetry, numberOfKeys: 1 },
  readTelemetry: { lua: readTelemetry, numberOfKeys: 1 },
  readStep: { lua: readStep, numberOfKeys: 1 },
  takeToken: { lua: takeToken, numberOfKeys: 1 },
  claimRequest: { lua: claimRequest, numberOfKeys: 1 },
  settleRequest: { lua: settleRequest, numberOfKeys: 1 },
  ...LANE_SCRIPTS,
  ...LANE_TAKE_SCRIPTS,
  ...INTAKE_SCRIPTS,
  ...BULLMQ_SCRIPTS,
} as const satisfies Record<string, ScriptDefinition>;

export type ScriptName = keyof typeof SCRIPTS;
