/**
 * What comes of a change besides its record, in the scripts that make one: the fence that it is made under, the events
 * and notices that are kept with it. Nothing may have been written before `holds_fence` is asked.
 *
 * `keep` takes the last four keys (events, notices' due times, their order, notices), and as the last arguments, from
 * `first` on: the events' channel, their number, the events, how many notices are kept at most, then an id and a record
 * for each notice. Returns what publishes the events.
 */
export const CHANGE = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000

local function holds_fence(lease, fence)
  if fence == '' then return true end
  local held, till = string.match(redis.call('GET', lease) or '', '^(%d+) (%S+) ')
  return held == fence and tonumber(till) > now
end

local function keep(first)
  local events, due, order, notices = KEYS[#KEYS - 3], KEYS[#KEYS - 2], KEYS[#KEYS - 1], KEYS[#KEYS]
  local channel, last = ARGV[first], first + 1 + tonumber(ARGV[first + 1])
  local messages = {}
  for i = first + 2, last do
    local position = redis.call('LPUSH', events, ARGV[i])
    messages[#messages + 1] = 'event ' .. string.format('%.0f', position) .. ' ' .. ARGV[i]
  end
  local at = now
  for i = last + 2, #ARGV, 2 do
    if redis.call('HSETNX', notices, ARGV[i], '0 ' .. ARGV[i + 1]) == 1 then
      -- A microsecond apart, so that they are delivered in their order.
      at = at + 0.001
      redis.call('ZADD', due, string.format('%.3f', at), ARGV[i])
      redis.call('ZADD', order, string.format('%.3f', at), ARGV[i])
    end
  end
  local surplus = redis.call('ZCARD', order) - tonumber(ARGV[last + 1])
  if surplus > 0 then
    local oldest = redis.call('ZPOPMIN', order, surplus)
    for i = 1, #oldest, 2 do
      redis.call('ZREM', due, oldest[i])
      redis.call('HDEL', notices, oldest[i])
    end
  end
  return function()
    for _, message in ipairs(messages) do redis.call('PUBLISH', channel, message) end
  end
end
`;
