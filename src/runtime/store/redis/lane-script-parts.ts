import { CANARY_SUFFIX, DEAD_SUFFIX, OWN_SUFFIX } from '../../../core/lane-keys.ts';
import { LANES } from '../../../core/lane.ts';
import { AGE_MARK_BYTES } from '../../../core/queue-job.ts';
import { RECOVERY_MEMORY_MS, STEP_BYTES_MAX } from '../lane-store.ts';

/**
 * What the scripts of lanes share. They take one key, the queue's base key, and make all others by putting something
 * behind it, which keeps them in the base key's slot. The first two arguments are the kind (`list`, `stream`) and the
 * envelope.
 *
 * Keys behind `<base>:lanewise:`
 * - `job:<id>` string: the lane of a job that was stored; expires (the ledger)
 * - `fences` hash: `queue` or `tenant:<tenant>` → `<epoch> <revision>`
 * - `position` string: a counter, from which receipts and ids get their order
 * - `leases` sorted set: consumer by end of lease, 0 once it has closed
 * - `sequences` hash: `<lane>:<consumer>` → number of its latest take
 * - `inbox:<lane>:<consumer>` list: what Redis gave a waiting consumer (streams: pending entries of `<consumer>+inbox`)
 * - `taken:<lane>:<consumer>` hash: receipt → record (streams: pending entries of the consumer)
 * - `recovered` sorted set: `<consumer> <receipt>` by the time of recovery
 * - `delayed:<lane>` sorted set: id by the time it is due; `delayed:jobs` hash: id → record
 * - `adding:<id>`, `paused`, `moves` strings: of queues of BullMQ, see `bullmq-scripts.ts`
 * - `note:<sha1 of the payload>` list: notes of raw jobs that wait in a list; expires. Raw jobs of equal bytes can't be
 *   told apart, so which of them gets which note makes no difference.
 *
 * `<base>:dead` is a sorted set, id by time of death, and `<base>:dead:jobs` a hash, id → record.
 *
 * A record is `<length>:<field>…<payload>`: bytes, as they came.
 *
 * In a list the front is the right end: LPUSH and RPOP, as Sidekiq, Celery and BullMQ have it. A stream entry has the
 * payload in the field `job`, a raw one in `body`; one that has no such field, since somebody else wrote it, is taken
 * as a JSON object of its fields. Nothing can be put in front of a stream, so entries that return go to the pending
 * list of a consumer that nobody is (`+returned`), which is read before anything new.
 */
export const LANE_GROUP = 'lanewise';

/** Notes that outlive the jobs they belong to, since somebody else took those, must go some time. */
const NOTE_TTL_MS = 7 * 86_400_000;
/** Dead consumers are looked at for this long, in case a job still reaches their inbox. */
const DEAD_CONSUMER_MS = 3_600_000;
/** Jobs that one step looks at; the steps are repeated. */
const SLICE = 500;

export const PRELUDE = `
local base, kind, envelope = KEYS[1], ARGV[1], ARGV[2]
local own, dead, GROUP, RETURNED = base .. '${OWN_SUFFIX}', base .. '${DEAD_SUFFIX}', '${LANE_GROUP}', '+returned'
local LANES, BYTES_MAX, SLICE = {'${LANES.join("', '")}'}, ${STEP_BYTES_MAX}, ${SLICE}
local FIELD = envelope == 'raw' and 'body' or 'job'

local function whole(number) return string.format('%.0f', number) end
local function lane_key(lane) return lane == 'canary' and base .. '${CANARY_SUFFIX}' or base end
local function taken_key(lane, consumer) return own .. 'taken:' .. lane .. ':' .. consumer end
local function inbox_key(lane, consumer) return own .. 'inbox:' .. lane .. ':' .. consumer end
local function next_position() return string.format('%016.0f', redis.call('INCR', own .. 'position')) end

local function expect(key, wanted)
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= wanted then error({err = 'LANETYPE ' .. found .. ' ' .. wanted .. ' ' .. key}) end
end

local function expect_lane(lane) expect(lane_key(lane), kind) end

local function expect_lanes()
  for _, lane in ipairs(LANES) do expect_lane(lane) end
end

local function pack(fields, payload)
  local parts = {}
  for i, field in ipairs(fields) do parts[i] = #field .. ':' .. field end
  parts[#parts + 1] = payload
  return table.concat(parts)
end

local function unpacked(record, count)
  local fields, at = {}, 1
  for i = 1, count do
    local colon = string.find(record, ':', at, true)
    local size = tonumber(string.sub(record, at, colon - 1))
    fields[i] = string.sub(record, colon + 1, colon + size)
    at = colon + size + 1
  end
  fields[count + 1] = string.sub(record, at)
  return fields
end

local function keep_note(payload, note)
  if note == '' then return end
  local key = own .. 'note:' .. redis.sha1hex(payload)
  redis.call('RPUSH', key, note)
  redis.call('PEXPIRE', key, ${NOTE_TTL_MS})
end

local function append(lane, note, payload)
  if kind == 'list' then
    redis.call('LPUSH', lane_key(lane), payload)
    keep_note(payload, note)
  elseif note == '' then
    redis.call('XADD', lane_key(lane), '*', FIELD, payload)
  else
    redis.call('XADD', lane_key(lane), '*', FIELD, payload, 'lanewise-note', note)
  end
end

-- Payloads without notes.
local function append_all(lane, payloads)
  for first = 1, kind == 'list' and #payloads or 0, SLICE do
    redis.call('LPUSH', lane_key(lane), unpack(payloads, first, math.min(#payloads, first + SLICE - 1)))
  end
  for _, payload in ipairs(kind == 'stream' and payloads or {}) do append(lane, '', payload) end
end

local function pending_of(lane, consumer, count)
  local found = redis.pcall('XPENDING', lane_key(lane), GROUP, '-', '+', count, consumer)
  return found.err and {} or found
end

-- The same consumer may get the same entry again.
local function receipt_of(pending) return pending[1] .. '/' .. whole(pending[4]) end
`;

/** Follows `isFencedOff`. */
export const FENCES = `
local function is_fenced_off_from(scope, epoch, revision)
  local fence = redis.call('HGET', own .. 'fences', scope)
  if not fence then return false end
  local of_epoch, of_revision = string.match(fence, '^(%S+) (%d+)$')
  if of_epoch == epoch then return tonumber(of_revision) > tonumber(revision) end
  return of_epoch > epoch
end

local function is_fenced_off(tenant, epoch, revision)
  return is_fenced_off_from('queue', epoch, revision)
    or tenant ~= '' and is_fenced_off_from('tenant:' .. tenant, epoch, revision)
end
`;

/** By the server's clock, the only one that all share. */
export const CLOCK = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function forget_consumer(consumer)
  redis.call('ZREM', own .. 'leases', consumer)
  for _, lane in ipairs(LANES) do redis.call('HDEL', own .. 'sequences', lane .. ':' .. consumer) end
end

local function is_long_gone(lease) return lease == 0 or lease < now - ${DEAD_CONSUMER_MS} end
local function remember_recovery(consumer, receipt)
  redis.call('ZADD', own .. 'recovered', whole(now), consumer .. ' ' .. receipt)
end
`;

/** What is in a lane. In a stream, entries of `+returned` wait; all others that are pending are in somebody's hands. */
export const COUNTS = `
local function group_of(key)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  if groups.err then return nil end
  for _, pairs_of_group in ipairs(groups) do
    local group = {}
    for i = 1, #pairs_of_group, 2 do group[pairs_of_group[i]] = pairs_of_group[i + 1] end
    if group.name == GROUP then return group end
  end
end

local function stream_counts(lane)
  local key = lane_key(lane)
  if redis.call('EXISTS', key) == 0 then return 0, 0, nil end
  local length, group = redis.call('XLEN', key), group_of(key)
  local first = redis.call('XRANGE', key, group and '(' .. group['last-delivered-id'] or '-', '+', 'COUNT', 1)[1]
  if not group then return length, 0, first end
  local pending, returned = redis.call('XPENDING', key, GROUP), 0
  for _, of in ipairs(pending[4] or {}) do
    if of[1] == RETURNED then returned = tonumber(of[2]) end
  end
  -- Without a lag (entries were deleted by hand), every entry that isn't pending counts as unread.
  local unread = first and math.min(length, tonumber(group.lag or nil) or length - pending[1]) or 0
  local oldest = pending_of(lane, RETURNED, 1)[1]
  if oldest then first = redis.call('XRANGE', key, oldest[1], oldest[1])[1] or first end
  return unread + returned, pending[1] - returned, first
end

local function list_counts(lane)
  local in_flight = 0
  for _, consumer in ipairs(redis.call('ZRANGE', own .. 'leases', 0, -1)) do
    in_flight = in_flight + redis.call('HLEN', taken_key(lane, consumer)) + redis.call('LLEN', inbox_key(lane, consumer))
  end
  return redis.call('LLEN', lane_key(lane)), in_flight
end

local function counts_of(lane)
  if kind == 'list' then return list_counts(lane) end
  return stream_counts(lane)
end

local function beginning_of_oldest(lane, entry)
  if kind == 'list' then return string.sub(redis.call('LINDEX', lane_key(lane), -1) or '', 1, ${AGE_MARK_BYTES}) end
  for i = 1, entry and #entry[2] or 0, 2 do
    if entry[2][i] == FIELD then return string.sub(entry[2][i + 1], 1, ${AGE_MARK_BYTES}) end
  end
  return ''
end
`;

/**
 * Takes a job out of its consumer's hands. Returns `mine`, `lost` (it was recovered), or `done` if it left them before.
 * A stream entry that is nobody's, since its group was destroyed, is still its last owner's to finish.
 */
export const RELEASE = `
local function release(lane, consumer, receipt)
  if kind == 'list' then
    if redis.call('HDEL', taken_key(lane, consumer), receipt) == 1 then return 'mine' end
  else
    local key, id = lane_key(lane), string.match(receipt, '^[^/]+')
    local found = redis.pcall('XPENDING', key, GROUP, id, id, 1)
    local pending = not found.err and found[1]
    if pending and (pending[2] ~= consumer or receipt_of(pending) ~= receipt) then return 'lost' end
    if not pending and redis.call('ZSCORE', own .. 'recovered', consumer .. ' ' .. receipt) then return 'lost' end
    redis.call('XACK', key, GROUP, id)
    return redis.call('XDEL', key, id) == 1 and 'mine' or 'done'
  end
  return redis.call('ZSCORE', own .. 'recovered', consumer .. ' ' .. receipt) and 'lost' or 'done'
end
`;

export const RECOVERY_TRIM = `
redis.call('ZREMRANGEBYSCORE', own .. 'recovered', '-inf', whole(now - ${RECOVERY_MEMORY_MS}))
local expired = redis.call('ZRANGEBYSCORE', own .. 'leases', '-inf', whole(now), 'WITHSCORES')
`;
