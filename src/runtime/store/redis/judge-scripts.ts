import { CHANGE } from './change-scripts.ts';

/**
 * By the server's clock, the only one that all instances share. The record stays when the lease has run out, so that
 * fences only grow; beyond that they are at least the time in microseconds, so that they also do after a fail-over that
 * lost the last ones, or a flush.
 *
 * KEYS: lease. ARGV: holder, milliseconds. Returns the fence, empty while somebody else has the lease.
 */
export const claimJudgeLease = `
local time = redis.call('TIME')
local microseconds = tonumber(time[1]) * 1e6 + tonumber(time[2])
local now = math.floor(microseconds / 1000)
local fence, till, holder = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%S+) (.*)$')
local is_held = fence and tonumber(till) > now
if is_held and holder ~= ARGV[1] then return '' end
if not is_held then
  fence = string.format('%.0f', math.max((tonumber(fence) or 0) + 1, microseconds))
end
redis.call('SET', KEYS[1], fence .. ' ' .. string.format('%.0f', now + tonumber(ARGV[2])) .. ' ' .. ARGV[1])
return fence
`;

/** KEYS: lease. ARGV: holder. */
export const releaseJudgeLease = `
local fence, holder = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) %S+ (.*)$')
if holder == ARGV[1] then redis.call('SET', KEYS[1], fence .. ' 0 ' .. holder) end
return 'OK'
`;

/** KEYS: deployments, judgements, lease, and `keep`'s. ARGV: id, judgement, fence, and `keep`'s. */
export const saveJudgement = `${CHANGE}
local id, json, fence = ARGV[1], ARGV[2], ARGV[3]
if not holds_fence(KEYS[3], fence) or redis.call('HEXISTS', KEYS[1], id) == 0 then return 'stale' end
redis.call('HSET', KEYS[2], id, json)
keep(4)()
return 'saved'
`;
