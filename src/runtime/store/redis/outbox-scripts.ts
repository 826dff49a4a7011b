/** By the server's clock, the only one that all instances share. KEYS: due, order, notices. */
const NOW = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local function in_ms(delay) return string.format('%.3f', now + tonumber(delay)) end
local function settle(id)
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[3], id)
end
`;

/** ARGV: how many at most, lease. Returns id, `<attempt> <json>`, id, and so on. */
export const takeNotices = `${NOW}
local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', in_ms('0'), 'LIMIT', 0, ARGV[1])) do
  local attempts, json = string.match(redis.call('HGET', KEYS[3], id) or '', '^(%d+) (.*)$')
  if attempts then
    local record = string.format('%.0f', tonumber(attempts) + 1) .. ' ' .. json
    redis.call('HSET', KEYS[3], id, record)
    redis.call('ZADD', KEYS[1], in_ms(ARGV[2]), id)
    taken[#taken + 1] = id
    taken[#taken + 1] = record
  else
    settle(id)
  end
end
return taken
`;

/** ARGV: id. */
export const settleNotice = `${NOW}
settle(ARGV[1])
return 'OK'
`;

/** ARGV: id, delay. */
export const postponeNotice = `${NOW}
redis.call('ZADD', KEYS[1], 'XX', in_ms(ARGV[2]), ARGV[1])
return 'OK'
`;
