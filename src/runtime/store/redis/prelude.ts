/**
 * Every change is one script: compare, write, raise the revision, publish. JSON passes through as text.
 *
 * The prelude takes the first three keys (epoch, server, revision) and the first two arguments (a UUID, the channel).
 * It starts a new epoch wherever revisions could be mistaken for others: the store is empty, has lost its counter or
 * holds rubbish there, or another server answers (a restart, a fail-over), which may have lost the latest writes and so
 * would count them anew.
 * A store that was not empty keeps the origin of its epochs, see `src/core/epoch.ts`.
 */
export const PRELUDE = `
local function lanewise_epoch(routes)
  local ok, info = pcall(redis.call, 'INFO', 'server')
  local server = ok and type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'unknown'
  local epoch = string.match(redis.call('GET', KEYS[1]) or '', '^%S+$')
  local counted = string.match(redis.call('GET', KEYS[3]) or '', '^%d+$')
  if epoch and counted and redis.call('GET', KEYS[2]) == server then return epoch end
  local next_epoch = ARGV[1]
  if epoch and counted then next_epoch = string.match(epoch, '^[^.]+') .. '.' .. ARGV[1] end
  redis.call('SET', KEYS[1], next_epoch)
  redis.call('SET', KEYS[2], server)
  if not counted then
    local latest = 0
    for _, record in ipairs(redis.call('HVALS', routes)) do
      latest = math.max(latest, tonumber(string.match(record, '^%d+')) or 0)
    end
    redis.call('SET', KEYS[3], string.format('%.0f', latest))
  end
  return next_epoch
end

local function head_of(record)
  return record and string.match(record, '^(%S+)') or '0'
end

local function move(epoch, change)
  local revision = string.format('%.0f', redis.call('INCR', KEYS[3]))
  return revision, function()
    redis.call('PUBLISH', ARGV[2], epoch .. ' ' .. revision .. ' ' .. change)
  end
end
`;
