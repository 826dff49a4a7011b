import { CLOCK, COUNTS, FENCES, PRELUDE, RELEASE } from './lane-script-parts.ts';

/**
 * What producers, the control plane and every consumer do with lanes, whether lists or streams. Each takes the base key
 * and, first, kind and envelope.
 */

/**
 * ARGV: …, epoch, revision, ledger TTL, then for each job: id, lane, tenant (or empty), payload.
 * Reads everything before it writes anything. Returns `stale`, or `stored` and for each job its lane if it was known.
 */
const enqueueJobs = `${PRELUDE}${FENCES}
local epoch, revision, ttl = ARGV[3], ARGV[4], ARGV[5]
local known, checked, ledger, payloads, result = {}, {}, {}, {}, {'stored'}
for i = 6, #ARGV, 4 do
  local lane = ARGV[i + 1]
  if not payloads[lane] then
    expect_lane(lane)
    payloads[lane] = {}
  end
  ledger[#ledger + 1] = own .. 'job:' .. ARGV[i]
end
for first = 1, #ledger, SLICE do
  local last = math.min(#ledger, first + SLICE - 1)
  for i, lane in ipairs(redis.call('MGET', unpack(ledger, first, last))) do known[ledger[first + i - 1]] = lane end
end
for i = 1, #ledger do
  local tenant = ARGV[4 + 4 * i]
  if not known[ledger[i]] and not checked[tenant] then
    if is_fenced_off(tenant, epoch, revision) then return {'stale'} end
    checked[tenant] = true
  end
end
for i = 1, #ledger do
  local lane = ARGV[3 + 4 * i]
  local before = known[ledger[i]]
  if not before then
    redis.call('SET', ledger[i], lane, 'PX', ttl)
    table.insert(payloads[lane], ARGV[5 + 4 * i])
    known[ledger[i]] = lane
  end
  result[i + 1] = before or ''
end
for lane, of_lane in pairs(payloads) do append_all(lane, of_lane) end
return result
`;

/** ARGV: …, scope, epoch, revision. Follows `raiseFence`. */
const fenceQueue = `${PRELUDE}
local scope, epoch, revision = ARGV[3], ARGV[4], ARGV[5]
expect(own .. 'fences', 'hash')
local fence = redis.call('HGET', own .. 'fences', scope)
local of_epoch, of_revision = string.match(fence or '', '^(%S+) (%d+)$')
if of_epoch ~= epoch or tonumber(of_revision) < tonumber(revision) then
  redis.call('HSET', own .. 'fences', scope, epoch .. ' ' .. revision)
end
return 'OK'
`;

/** ARGV: …, consumer, lease; a lease of 0 ends it. */
const renewLease = `${PRELUDE}${CLOCK}
local lease = tonumber(ARGV[4])
redis.call('ZADD', own .. 'leases', lease == 0 and '0' or whole(now + lease), ARGV[3])
return 'OK'
`;

/** ARGV: …, lane, consumer, receipt… Returns for each what `release` does. */
const acknowledgeJobs = `${PRELUDE}${RELEASE}
local results = {}
for i = 5, #ARGV do results[i - 4] = release(ARGV[3], ARGV[4], ARGV[i]) end
return results
`;

/** Returns what `release` does; so does the next. ARGV: …, lane, consumer, receipt, lane to be tried in, delay, note, payload. */
const retryJob = `${PRELUDE}${CLOCK}${RELEASE}
expect(own .. 'delayed:jobs', 'hash')
expect(own .. 'delayed:' .. ARGV[6], 'zset')
local id = next_position()
local result = release(ARGV[3], ARGV[4], ARGV[5])
if result == 'mine' then
  redis.call('ZADD', own .. 'delayed:' .. ARGV[6], whole(now + tonumber(ARGV[7])), id)
  redis.call('HSET', own .. 'delayed:jobs', id, pack({ARGV[8]}, ARGV[9]))
end
return result
`;

/** ARGV: …, lane, consumer, receipt, reason, note, payload. */
const buryJob = `${PRELUDE}${CLOCK}${RELEASE}
expect(dead, 'zset')
expect(dead .. ':jobs', 'hash')
local id = next_position()
local result = release(ARGV[3], ARGV[4], ARGV[5])
if result == 'mine' then
  redis.call('ZADD', dead, whole(now), id)
  redis.call('HSET', dead .. ':jobs', id, pack({ARGV[3], whole(now), ARGV[6], ARGV[7]}, ARGV[8]))
end
return result
`;

/** ARGV: …, max. Returns how many were released, and when the next one is due in milliseconds, -1 for none. */
const releaseDueJobs = `${PRELUDE}${CLOCK}
local max, due, bytes, released = tonumber(ARGV[3]), {}, 0, 0
expect_lanes()
for _, lane in ipairs(LANES) do
  local key = own .. 'delayed:' .. lane
  local found = redis.call('ZRANGEBYSCORE', key, '-inf', whole(now), 'WITHSCORES', 'LIMIT', 0, max)
  for i = 1, #found, 2 do due[#due + 1] = {id = found[i], at = tonumber(found[i + 1]), lane = lane} end
end
table.sort(due, function(a, b) return a.at < b.at or a.at == b.at and a.id < b.id end)
for _, job in ipairs(due) do
  if released >= max or bytes >= BYTES_MAX then break end
  local record = redis.call('HGET', own .. 'delayed:jobs', job.id)
  if record then
    local fields = unpacked(record, 1)
    append(job.lane, fields[1], fields[2])
    bytes = bytes + #record
    released = released + 1
  end
  redis.call('HDEL', own .. 'delayed:jobs', job.id)
  redis.call('ZREM', own .. 'delayed:' .. job.lane, job.id)
end
local next_in = -1
for _, lane in ipairs(LANES) do
  local first = redis.call('ZRANGE', own .. 'delayed:' .. lane, 0, 0, 'WITHSCORES')
  if first[2] then
    local in_ms = math.max(0, tonumber(first[2]) - now)
    next_in = next_in < 0 and in_ms or math.min(next_in, in_ms)
  end
end
return {whole(released), whole(next_in)}
`;

/** Returns the time, for each lane: waiting, delayed, in flight, beginning of the oldest payload; and the dead. */
const readDepths = `${PRELUDE}${CLOCK}${COUNTS}
expect_lanes()
expect(dead, 'zset')
local result = {whole(now)}
for _, lane in ipairs(LANES) do
  local waiting, in_flight, oldest = counts_of(lane)
  result[#result + 1] = whole(waiting)
  result[#result + 1] = whole(redis.call('ZCARD', own .. 'delayed:' .. lane))
  result[#result + 1] = whole(in_flight)
  result[#result + 1] = waiting > 0 and beginning_of_oldest(lane, oldest) or ''
end
result[#result + 1] = whole(redis.call('ZCARD', dead))
return result
`;

/** ARGV: …, from, to, max. Returns how many were moved, and what remains: waiting, delayed, in flight. */
const drainLane = `${PRELUDE}${COUNTS}
local from, to, max, moved, bytes = ARGV[3], ARGV[4], tonumber(ARGV[5]), 0, 0
local source, target = lane_key(from), lane_key(to)
expect_lanes()

local function with_tries(found, tries)
  local fields, before = {}, 0
  for i = 1, #found, 2 do
    if found[i] == 'lanewise-tries' then
      before = tonumber(found[i + 1]) or 0
    else
      fields[#fields + 1] = found[i]
      fields[#fields + 1] = found[i + 1]
    end
  end
  if before + tries > 0 then
    fields[#fields + 1] = 'lanewise-tries'
    fields[#fields + 1] = whole(before + tries)
  end
  return fields
end

-- It is still to be deleted from the source.
local function copy_entry(entry, tries)
  local fields = entry[2]
  -- Nearly all have the job alone.
  if tries > 0 then fields = with_tries(fields, tries) end
  redis.call('XADD', target, '*', unpack(fields))
  for i = 2, #fields, 2 do bytes = bytes + #fields[i] end
  moved = moved + 1
end

-- What is read at once must not come to much: one, until it is known how large they are.
local function slice()
  if moved == 0 then return 1 end
  local fitting = math.floor((BYTES_MAX - bytes) * moved / math.max(1, bytes))
  return math.max(1, math.min(max - moved, SLICE, fitting))
end

if kind == 'list' then
  while moved < max and bytes < BYTES_MAX do
    local payload = redis.call('LMOVE', source, target, 'RIGHT', 'LEFT')
    if not payload then break end
    moved = moved + 1
    bytes = bytes + #payload
  end
elseif redis.call('EXISTS', source) == 1 then
  if not group_of(source) then redis.call('XGROUP', 'CREATE', source, GROUP, '0') end
  for _, pending in ipairs(pending_of(from, RETURNED, max)) do
    if bytes >= BYTES_MAX then break end
    local entry = redis.call('XRANGE', source, pending[1], pending[1])[1]
    if entry then
      copy_entry(entry, pending[4])
      redis.call('XDEL', source, pending[1])
    end
    redis.call('XACK', source, GROUP, pending[1])
  end
  local has_more = true
  while has_more and moved < max and bytes < BYTES_MAX do
    local count, ids = slice(), {}
    local read = redis.call('XREADGROUP', 'GROUP', GROUP, '+drain', 'COUNT', count, 'NOACK', 'STREAMS', source, '>')
    local entries = read and read[1][2] or {}
    for i, entry in ipairs(entries) do
      copy_entry(entry, 0)
      ids[i] = entry[1]
    end
    if #ids > 0 then redis.call('XDEL', source, unpack(ids)) end
    has_more = #entries == count
  end
end
local delayed = own .. 'delayed:'
if moved < max then
  local found = redis.call('ZRANGE', delayed .. from, 0, max - moved - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    redis.call('ZADD', delayed .. to, found[i + 1], found[i])
    redis.call('ZREM', delayed .. from, found[i])
  end
  moved = moved + #found / 2
end
local waiting, in_flight = counts_of(from)
return {whole(moved), whole(waiting), whole(redis.call('ZCARD', delayed .. from)), whole(in_flight)}
`;

/**
 * ARGV: …, then `latest`, offset, limit, or `oldest`, limit, or `ids`, id…
 * Returns how many are dead, and for each that was asked for: id, lane, time, reason, note, payload.
 */
const readDeadJobs = `${PRELUDE}
expect(dead, 'zset')
expect(dead .. ':jobs', 'hash')
local mode, ids, bytes = ARGV[3], {}, 0
if mode == 'latest' then
  ids = redis.call('ZREVRANGE', dead, ARGV[4], ARGV[4] + ARGV[5] - 1)
elseif mode == 'oldest' then
  ids = redis.call('ZRANGE', dead, 0, ARGV[4] - 1)
else
  for i = 4, #ARGV do ids[#ids + 1] = ARGV[i] end
end
local result = {whole(redis.call('ZCARD', dead))}
for _, id in ipairs(ids) do
  if bytes >= BYTES_MAX then break end
  local record = redis.call('HGET', dead .. ':jobs', id)
  if record then
    result[#result + 1] = id
    for _, field in ipairs(unpacked(record, 4)) do result[#result + 1] = field end
    bytes = bytes + #record
  end
end
return result
`;

/** ARGV: …, lane, then for each job: id, note, payload. Returns how many were moved. */
const requeueDeadJobs = `${PRELUDE}
expect_lanes()
local moved = 0
for i = 4, #ARGV, 3 do
  if redis.call('HDEL', dead .. ':jobs', ARGV[i]) == 1 then
    redis.call('ZREM', dead, ARGV[i])
    append(ARGV[3], ARGV[i + 1], ARGV[i + 2])
    moved = moved + 1
  end
end
return whole(moved)
`;

/** ARGV: …, `all`, or `ids`, id… Returns how many there were. */
const dropDeadJobs = `${PRELUDE}
expect(dead, 'zset')
expect(dead .. ':jobs', 'hash')
if ARGV[3] == 'all' then
  local count = redis.call('ZCARD', dead)
  redis.call('UNLINK', dead, dead .. ':jobs')
  return whole(count)
end
local dropped = 0
for i = 4, #ARGV do
  dropped = dropped + redis.call('HDEL', dead .. ':jobs', ARGV[i])
  redis.call('ZREM', dead, ARGV[i])
end
return whole(dropped)
`;

export const LANE_SCRIPTS = {
  enqueueJobs: { lua: enqueueJobs, numberOfKeys: 1 },
  fenceQueue: { lua: fenceQueue, numberOfKeys: 1 },
  renewLease: { lua: renewLease, numberOfKeys: 1 },
  acknowledgeJobs: { lua: acknowledgeJobs, numberOfKeys: 1 },
  retryJob: { lua: retryJob, numberOfKeys: 1 },
  buryJob: { lua: buryJob, numberOfKeys: 1 },
  releaseDueJobs: { lua: releaseDueJobs, numberOfKeys: 1 },
  readDepths: { lua: readDepths, numberOfKeys: 1 },
  drainLane: { lua: drainLane, numberOfKeys: 1 },
  readDeadJobs: { lua: readDeadJobs, numberOfKeys: 1 },
  requeueDeadJobs: { lua: requeueDeadJobs, numberOfKeys: 1 },
  dropDeadJobs: { lua: dropDeadJobs, numberOfKeys: 1 },
} as const;
