/**
 * Takes a token; see `intervalMs`. By the server's clock, the only one that all instances share; TIME has microseconds,
 * a key expires when its bucket is full. KEYS: bucket. ARGV: milliseconds a token, burst.
 * Returns whether it was allowed, in how many milliseconds the bucket is full, and now.
 */
export const takeToken = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local stored = redis.pcall('GET', KEYS[1])
-- Whatever else lies under that name is replaced by the next SET.
local full_in = math.max(0, (type(stored) == 'string' and tonumber(stored) or 0) - now)
local allowed = '0'
if burst - full_in / interval + 1e-6 >= 1 then
  allowed = '1'
  full_in = full_in + interval
  redis.call('SET', KEYS[1], string.format('%.3f', now + full_in), 'PX', math.ceil(full_in))
end
return {allowed, string.format('%.3f', full_in), string.format('%.3f', now)}
`;

/** KEYS: answer. ARGV: the claim's record, lease. Returns what is stored, nothing where the claim is granted. */
export const claimRequest = `
local stored = redis.call('GET', KEYS[1])
if stored then return stored end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ''
`;

/** KEYS: answer. ARGV: the claim's record, the answer's (empty: none), its time to live. */
export const settleRequest = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'OK' end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 'OK'
`;
