import { CLOCK, PRELUDE, RECOVERY_TRIM } from './lane-script-parts.ts';

/** How jobs get into the hands of consumers, and out of those that have died: each for lists and for streams. */

const TAKE_SLICE = 16;

/**
 * ARGV: …, lane, consumer, lease, number of this take, max, scope (`lane`, or `mine`: nothing from the lane itself),
 * whether the consumer may have jobs that it doesn't know of, and if so the receipts that it does. Returns whether there are more of those, and for each job: receipt, note,
 * deliveries beyond the first, payload.
 *
 * A take that is not newer than the latest one does nothing: its caller has given it up, and has looked already
 * for what it might have taken.
 */
const TAKE = `${PRELUDE}${CLOCK}
local lane, consumer, lease, number, max = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local key, taken = lane_key(lane), taken_key(lane, consumer)
expect(key, kind)
local field = lane .. ':' .. consumer
if tonumber(redis.call('HGET', own .. 'sequences', field) or '0') >= number then return {'0'} end
redis.call('HSET', own .. 'sequences', field, number)
redis.call('ZADD', own .. 'leases', whole(now + lease), consumer)

local result, count, bytes = {'0'}, 0, 0
local known, takes_new = {}, ARGV[8] == 'lane'
for i = 10, #ARGV do known[ARGV[i]] = true end
local function is_full() return count >= max or bytes >= BYTES_MAX end
local function hand_out(receipt, note, tries, payload)
  local at = #result
  result[at + 1], result[at + 2], result[at + 3], result[at + 4] = receipt, note, whole(tries), payload
  count = count + 1
  bytes = bytes + #payload
end
`;

const takeFromList = `${TAKE}
expect(taken, 'hash')
expect(inbox_key(lane, consumer), 'list')
if ARGV[9] == '1' then
  local receipts = redis.call('HKEYS', taken)
  table.sort(receipts)
  for _, receipt in ipairs(receipts) do
    if not known[receipt] then
      if is_full() then
        result[1] = '1'
        break
      end
      local fields = unpacked(redis.call('HGET', taken, receipt), 1)
      hand_out(receipt, fields[1], 0, fields[2])
    end
  end
end

local function note_of(payload)
  if envelope ~= 'raw' then return '' end
  local note = redis.pcall('LPOP', own .. 'note:' .. redis.sha1hex(payload))
  return type(note) == 'string' and note or ''
end

-- A few at a time, so that they don't come to much more than they should where they are large.
local function take_from(source)
  while not is_full() do
    local wanted = math.min(max - count, ${TAKE_SLICE})
    local found = math.min(wanted, redis.call('LLEN', source))
    if found == 0 then return end
    -- Before anything leaves the list: a counter that can't count must not lose jobs.
    local position, records = redis.call('INCRBY', own .. 'position', found) - found, {}
    local payloads = redis.call('RPOP', source, found)
    for i, payload in ipairs(payloads) do
      local receipt, note = string.format('%016.0f', position + i) .. '.' .. ARGV[6], note_of(payload)
      records[2 * i - 1], records[2 * i] = receipt, pack({note}, payload)
      hand_out(receipt, note, 0, payload)
    end
    redis.call('HSET', taken, unpack(records))
    if found < wanted then return end
  end
end
take_from(inbox_key(lane, consumer))
if takes_new then take_from(key) end
return result
`;

/** The number of deliveries is how many attempts have begun; waiting in an inbox is none. */
const takeFromStream = `${TAKE}
if redis.pcall('XPENDING', key, GROUP).err then redis.call('XGROUP', 'CREATE', key, GROUP, '0', 'MKSTREAM') end

local function hand_out_entry(entry, deliveries)
  local note, tries, payload = '', deliveries - 1, nil
  for i = 1, #entry[2], 2 do
    local name, value = entry[2][i], entry[2][i + 1]
    if name == FIELD then payload = value end
    if name == 'lanewise-note' then note = value end
    if name == 'lanewise-tries' then tries = tries + (tonumber(value) or 0) end
  end
  if not payload then
    local fields = {}
    for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
    payload = cjson.encode(fields)
  end
  hand_out(entry[1] .. '/' .. whole(deliveries), note, tries, payload)
end

local function claim(from, begun)
  for _, pending in ipairs(pending_of(lane, from, max - count)) do
    if is_full() then break end
    local deliveries = pending[4] + begun
    local entry = redis.call('XCLAIM', key, GROUP, consumer, 0, pending[1], 'RETRYCOUNT', deliveries)[1]
    if entry then hand_out_entry(entry, deliveries) end
  end
end

if ARGV[9] == '1' then
  for _, pending in ipairs(pending_of(lane, consumer, 100000)) do
    if not known[receipt_of(pending)] then
      if is_full() then
        result[1] = '1'
        break
      end
      local entry = redis.call('XRANGE', key, pending[1], pending[1])[1]
      if entry then hand_out_entry(entry, pending[4]) end
    end
  end
end
if takes_new and not is_full() then claim(RETURNED, 1) end
if not is_full() then claim(consumer .. '+inbox', 0) end
while takes_new and not is_full() do
  local wanted = math.min(max - count, ${TAKE_SLICE})
  local read = redis.call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', wanted, 'STREAMS', key, '>')
  local entries = read and read[1][2] or {}
  for _, entry in ipairs(entries) do hand_out_entry(entry, 1) end
  if #entries < wanted then break end
end
return result
`;

/**
 * Returns what consumers without a lease have in hands, the newest first: lane, consumer, receipt, note, payload. They
 * stay there until `returnJobs` moves them, with the attempt counted, which takes more than a script knows of envelopes.
 */
const listExpiredJobs = `${PRELUDE}${CLOCK}${RECOVERY_TRIM}
expect_lanes()
local found = {}
for i = 1, #expired, 2 do
  local consumer, has_some = expired[i], false
  for _, lane in ipairs(LANES) do
    while redis.call('LMOVE', inbox_key(lane, consumer), lane_key(lane), 'LEFT', 'RIGHT') do end
    for _, receipt in ipairs(redis.call('HKEYS', taken_key(lane, consumer))) do
      found[#found + 1] = {receipt = receipt, lane = lane, consumer = consumer}
      has_some = true
    end
  end
  if not has_some and is_long_gone(tonumber(expired[i + 1])) then forget_consumer(consumer) end
end
table.sort(found, function(a, b) return a.receipt > b.receipt end)
local result, bytes = {}, 0
for i, job in ipairs(found) do
  if i > SLICE or bytes >= BYTES_MAX then break end
  local record = redis.call('HGET', taken_key(job.lane, job.consumer), job.receipt)
  local fields = unpacked(record, 1)
  for _, value in ipairs({job.lane, job.consumer, job.receipt, fields[1], fields[2]}) do result[#result + 1] = value end
  bytes = bytes + #record
end
return result
`;

/**
 * Puts jobs in front of their lanes. ARGV: …, `expired` if their consumers must have lost their leases, then for each job,
 * the newest first: lane, consumer, receipt, note, payload. Returns how many were still there.
 */
const returnJobs = `${PRELUDE}${CLOCK}
expect_lanes()
local returned = 0
for i = 4, #ARGV, 5 do
  local lane, consumer, receipt, note, payload = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local lease = tonumber(redis.call('ZSCORE', own .. 'leases', consumer) or '0')
  if (ARGV[3] ~= 'expired' or lease <= now) and redis.call('HDEL', taken_key(lane, consumer), receipt) == 1 then
    redis.call('RPUSH', lane_key(lane), payload)
    keep_note(payload, note)
    remember_recovery(consumer, receipt)
    returned = returned + 1
  end
end
return whole(returned)
`;

/** The same for streams in one step: entries keep their place, and deliveries are counted by Redis. */
const recoverEntries = `${PRELUDE}${CLOCK}${RECOVERY_TRIM}
expect_lanes()
local recovered = 0
for i = 1, #expired, 2 do
  local consumer, has_some = expired[i], false
  for _, lane in ipairs(LANES) do
    local key, inbox = lane_key(lane), consumer .. '+inbox'
    local mine, arrived = pending_of(lane, consumer, SLICE), pending_of(lane, inbox, SLICE)
    for _, pending in ipairs(mine) do
      redis.call('XCLAIM', key, GROUP, RETURNED, 0, pending[1], 'JUSTID')
      remember_recovery(consumer, receipt_of(pending))
    end
    for _, pending in ipairs(arrived) do
      redis.call('XCLAIM', key, GROUP, RETURNED, 0, pending[1], 'RETRYCOUNT', 0, 'JUSTID')
    end
    recovered = recovered + #mine + #arrived
    has_some = has_some or #mine + #arrived > 0
    if not has_some then
      redis.pcall('XGROUP', 'DELCONSUMER', key, GROUP, consumer)
      redis.pcall('XGROUP', 'DELCONSUMER', key, GROUP, inbox)
    end
  end
  if not has_some and is_long_gone(tonumber(expired[i + 1])) then forget_consumer(consumer) end
end
return whole(recovered)
`;

/** ARGV: …, consumer, then for each job: lane, receipt. Returns how many were still its. */
const giveBackEntries = `${PRELUDE}${CLOCK}
local returned = 0
for i = 4, #ARGV, 2 do
  local lane, receipt = ARGV[i], ARGV[i + 1]
  local id = string.match(receipt, '^[^/]+')
  local found = redis.pcall('XPENDING', lane_key(lane), GROUP, id, id, 1, ARGV[3])
  local pending = not found.err and found[1]
  if pending and receipt_of(pending) == receipt then
    local begun = math.max(0, pending[4] - 1)
    redis.call('XCLAIM', lane_key(lane), GROUP, RETURNED, 0, id, 'RETRYCOUNT', begun, 'JUSTID')
    remember_recovery(ARGV[3], receipt)
    returned = returned + 1
  end
end
return whole(returned)
`;

export const LANE_TAKE_SCRIPTS = {
  takeFromList: { lua: takeFromList, numberOfKeys: 1 },
  takeFromStream: { lua: takeFromStream, numberOfKeys: 1 },
  listExpiredJobs: { lua: listExpiredJobs, numberOfKeys: 1 },
  returnJobs: { lua: returnJobs, numberOfKeys: 1 },
  recoverEntries: { lua: recoverEntries, numberOfKeys: 1 },
  giveBackEntries: { lua: giveBackEntries, numberOfKeys: 1 },
} as const;
