/**
 * Telemetry is written far more often than it is read, and a field costs a script far more to add in Redis than in Lua.
 * So a delta is only appended to the deployment's *pending* ones, and these are added up all at once, when they are many
 * or the next bucket begins: over all steps into their bucket, and into each step. A delta is JSON, step, number of
 * sums, name, value, name, value…, sums first; buckets and steps are strings, MessagePack `[sums, maxima]`: a hash of so few fields is a list to Redis, searched from its start
 * for each field. They are only ever added to, so a clock that is set back does no harm. Who reads adds what is pending.
 * What lies under these names and is nothing that this has written counts as nothing, and is replaced in time.
 *
 * KEYS: prefix. ARGV: milliseconds a bucket. Time is the server's. For names see `telemetry-fields.ts`.
 */
const CLOCK = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local current = string.format('%.0f', math.floor(now / tonumber(ARGV[1])))
local pending = KEYS[1] .. 'pending:'

local function text_of(key)
  local stored = redis.pcall('GET', key)
  return type(stored) == 'string' and stored or nil
end
`;

/** Totals are `{sums, maxima}`, by name. */
const ADDING = `
local function add(totals, more)
  local sums, maxima = totals[1], totals[2]
  for name, value in pairs(more[1]) do sums[name] = (sums[name] or 0) + value end
  for name, value in pairs(more[2]) do
    if value > (maxima[name] or 0) then maxima[name] = value end
  end
end

local function add_stored(totals, key)
  local stored = text_of(key)
  if stored then pcall(function() add(totals, cmsgpack.unpack(stored)) end) end
end

local function add_delta(steps, json)
  local delta = cjson.decode(json)
  local step, last_sum = string.format('%.0f', delta[1]), 1 + 2 * delta[2]
  steps[step] = steps[step] or {{}, {}}
  local sums, maxima = steps[step][1], steps[step][2]
  for i = 3, last_sum, 2 do
    local name = delta[i]
    sums[name] = (sums[name] or 0) + delta[i + 1]
  end
  for i = last_sum + 2, #delta, 2 do
    local name, value = delta[i], delta[i + 1]
    if value > (maxima[name] or 0) then maxima[name] = value end
  end
end

-- By step. One that can't be read is passed over: it must not hold up the others.
local function pending_of(bucket)
  local steps = {}
  for _, json in ipairs(redis.pcall('LRANGE', pending .. bucket, 0, -1)) do pcall(add_delta, steps, json) end
  return steps
end

-- One string, not a list: a client takes a list of hundreds of short strings apart far more slowly.
local function words(totals)
  local list = {}
  for _, part in ipairs(totals) do
    for name, value in pairs(part) do
      list[#list + 1] = name
      list[#list + 1] = string.format('%.0f', value)
    end
  end
  return table.concat(list, ' ')
end
`;

/**
 * ARGV: …, milliseconds that buckets and steps are kept, how many deltas are pending at most, delta. The call that makes
 * them that many adds them up; all others end before that code is even reached.
 */
export const recordTelemetry = `${CLOCK}
local count = redis.pcall('RPUSH', pending .. current, ARGV[5])
if type(count) ~= 'number' then
  redis.call('DEL', pending .. current)
  count = redis.call('RPUSH', pending .. current, ARGV[5])
end
if count > 1 and count < tonumber(ARGV[4]) then return 'OK' end
${ADDING}
local function keep(key, totals, kept)
  add_stored(totals, key)
  redis.call('SET', key, cmsgpack.pack(totals), 'PX', kept)
end

local function settle(bucket)
  local all = {{}, {}}
  for step, totals in pairs(pending_of(bucket)) do
    add(all, totals)
    keep(KEYS[1] .. 'step:' .. step, totals, ARGV[3])
  end
  redis.call('DEL', pending .. bucket)
  keep(KEYS[1] .. bucket, all, ARGV[2])
end

if count == 1 then
  local before = text_of(KEYS[1] .. 'bucket')
  if before and before ~= current then settle(before) end
  redis.call('SET', KEYS[1] .. 'bucket', current, 'PX', ARGV[3])
  redis.call('PEXPIRE', pending .. current, ARGV[3])
end
if count >= tonumber(ARGV[4]) then settle(current) end
return 'OK'
`;

/**
 * ARGV: …, the current bucket (empty: by the clock), first and last bucket, counted back from there.
 * Returns the current bucket, and `name sum-or-maximum name …` over those buckets.
 */
export const readTelemetry = `${CLOCK}${ADDING}
if ARGV[2] ~= '' then current = ARGV[2] end
local first, last = tonumber(current) - tonumber(ARGV[3]), tonumber(current) - tonumber(ARGV[4])
local totals = {{}, {}}
for bucket = first, last do add_stored(totals, KEYS[1] .. string.format('%.0f', bucket)) end
local bucket = text_of(KEYS[1] .. 'bucket')
if tonumber(bucket) and first <= tonumber(bucket) and tonumber(bucket) <= last then
  for _, step in pairs(pending_of(bucket)) do add(totals, step) end
end
return {current, words(totals)}
`;

/** ARGV: …, step. Returns now, and the step's totals as `name value name …`. */
export const readStep = `${CLOCK}${ADDING}
local bucket = text_of(KEYS[1] .. 'bucket')
local totals = bucket and pending_of(bucket)[ARGV[2]] or {{}, {}}
add_stored(totals, KEYS[1] .. 'step:' .. ARGV[2])
return {string.format('%.0f', now), words(totals)}
`;
