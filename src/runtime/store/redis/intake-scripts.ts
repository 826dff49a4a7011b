import { FENCES, PRELUDE } from './lane-script-parts.ts';

/**
 * The intake's key is the third argument: the configuration sees to it that it shares the queue's slot. It goes on with the
 * group, which is of a stream alone.
 *
 * Further key behind `<base>:lanewise:`: `router` string, whose turn it is; expires.
 */
const INTAKE = `
local intake, group_name = ARGV[3], ARGV[4]

local function intake_groups()
  local groups = {}
  for i, flat in ipairs(redis.call('XINFO', 'GROUPS', intake)) do
    local group = {}
    for j = 1, #flat, 2 do group[flat[j]] = flat[j + 1] end
    groups[i] = group
  end
  return groups
end

-- Returns the group, and whether others read the stream as well.
local function intake_group()
  local groups = intake_groups()
  for _, group in ipairs(groups) do
    if group.name == group_name then return group, #groups > 1 end
  end
  -- What other groups have read was done already, by workers that this queue's lanes are to take the place of.
  if #groups > 0 then error({err = 'INTAKEGROUP ' .. groups[1].name .. ' ' .. intake}) end
  redis.call('XGROUP', 'CREATE', intake, group_name, '0')
  return {['last-delivered-id'] = '0-0'}, false
end

local function entries_after(id, count)
  return redis.call('XRANGE', intake, '(' .. id, '+', 'COUNT', count)
end
`;

const READ_SLICE = 16;

/**
 * ARGV: …, intake, group, router, turn, max. Returns `held` and for how long, or `read`, the last id that was read (of a
 * stream), and for each job: of a list its payload; of a stream its id, the number of fields and values, and those.
 */
const readIntake = `${PRELUDE}${INTAKE}
local router, turn, max, bytes = ARGV[5], ARGV[6], tonumber(ARGV[7]), 0
expect(intake, kind)
local holder = redis.call('GET', own .. 'router')
if holder and holder ~= router then return {'held', whole(math.max(1, redis.call('PTTL', own .. 'router')))} end
redis.call('SET', own .. 'router', router, 'PX', turn)
local result = {'read', '0-0'}
if redis.call('EXISTS', intake) == 0 then return result end
if kind == 'list' then
  local read = 0
  while read < max and bytes < BYTES_MAX do
    local wanted = math.min(max - read, ${READ_SLICE})
    local payloads = redis.call('LRANGE', intake, -read - wanted, -read - 1)
    for i = #payloads, 1, -1 do
      result[#result + 1] = payloads[i]
      bytes = bytes + #payloads[i]
    end
    read = read + #payloads
    if #payloads < wanted then break end
  end
  return result
end
local after, read = intake_group()['last-delivered-id'], 0
result[2] = after
while read < max and bytes < BYTES_MAX do
  local wanted = math.min(max - read, ${READ_SLICE})
  local entries = entries_after(after, wanted)
  for _, entry in ipairs(entries) do
    result[#result + 1] = entry[1]
    result[#result + 1] = whole(#entry[2])
    for _, part in ipairs(entry[2]) do
      result[#result + 1] = part
      bytes = bytes + #part
    end
    after = entry[1]
  end
  read = read + #entries
  if #entries < wanted then break end
end
return result
`;

/**
 * ARGV: …, intake, group, epoch, revision, then for each job, the oldest first: lane, mark, payload (empty: as it is).
 * Reads everything before it writes anything. Returns `stale`, or `moved` and how many.
 */
const moveIntake = `${PRELUDE}${FENCES}${INTAKE}
if is_fenced_off('', ARGV[5], ARGV[6]) then return {'stale'} end
expect_lanes()
expect(intake, kind)
local first, count, moved = 7, (#ARGV - 6) / 3, 0
local function lane_of(i) return ARGV[first + 3 * i] end
local function mark_of(i) return ARGV[first + 3 * i + 1] end
local function payload_of(i) return ARGV[first + 3 * i + 2] end

if kind == 'list' then
  while moved < count do
    local payload = redis.call('LINDEX', intake, -1)
    if not payload or redis.sha1hex(payload) ~= mark_of(moved) then break end
    if payload_of(moved) == '' then
      redis.call('LMOVE', intake, lane_key(lane_of(moved)), 'RIGHT', 'LEFT')
    else
      redis.call('RPOP', intake)
      redis.call('LPUSH', lane_key(lane_of(moved)), payload_of(moved))
    end
    moved = moved + 1
  end
elseif redis.call('EXISTS', intake) == 1 then
  local group, is_shared = intake_group()
  local entries = entries_after(group['last-delivered-id'], count)
  while entries[moved + 1] and entries[moved + 1][1] == mark_of(moved) do moved = moved + 1 end
  if moved > 0 then
    redis.call('XREADGROUP', 'GROUP', group_name, '+router', 'COUNT', moved, 'NOACK', 'STREAMS', intake, '>')
  end
  for i = 0, moved - 1 do
    local entry = entries[i + 1]
    if payload_of(i) == '' then
      redis.call('XADD', lane_key(lane_of(i)), '*', unpack(entry[2]))
    else
      redis.call('XADD', lane_key(lane_of(i)), '*', FIELD, payload_of(i))
    end
    if not is_shared then redis.call('XDEL', intake, entry[1]) end
  end
end
return {'moved', whole(moved)}
`;

/** ARGV: …, router. */
const endIntakeTurn = `${PRELUDE}
if redis.call('GET', own .. 'router') == ARGV[3] then redis.call('DEL', own .. 'router') end
return 'OK'
`;

/** ARGV: …, intake, group. */
const readIntakeDepth = `${PRELUDE}${INTAKE}
expect(intake, kind)
if kind == 'list' then return whole(redis.call('LLEN', intake)) end
if redis.call('EXISTS', intake) == 0 then return '0' end
local length = redis.call('XLEN', intake)
for _, group in ipairs(intake_groups()) do
  if group.name == group_name then
    if not entries_after(group['last-delivered-id'], 1)[1] then return '0' end
    -- Without a lag (entries were deleted by hand) nobody has counted; no more than are there.
    return whole(math.min(length, tonumber(group.lag or nil) or length))
  end
end
return whole(length)
`;

export const INTAKE_SCRIPTS = {
  readIntake: { lua: readIntake, numberOfKeys: 1 },
  moveIntake: { lua: moveIntake, numberOfKeys: 1 },
  endIntakeTurn: { lua: endIntakeTurn, numberOfKeys: 1 },
  readIntakeDepth: { lua: readIntakeDepth, numberOfKeys: 1 },
} as const;
