/** KEYS: workers, activity. ARGV: id, version, processed, succeeded, failed, total ms, and so on. */
export const noteActivity = `
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
for i = 1, #ARGV, 6 do
  local id, version = ARGV[i], ARGV[i + 1]
  if redis.call('HEXISTS', KEYS[1], id) == 1 then
    local sums = {0, 0, 0, 0}
    local last_job = '0'
    local stored = redis.call('HGET', KEYS[2], id)
    if stored then
      local of, a, b, c, d, last = string.match(stored, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) %S+$')
      if of == version then
        sums = {tonumber(a), tonumber(b), tonumber(c), tonumber(d)}
        last_job = last
      end
    end
    for n = 1, 4 do sums[n] = sums[n] + tonumber(ARGV[i + 1 + n]) end
    if tonumber(ARGV[i + 2]) > 0 then last_job = now end
    redis.call('HSET', KEYS[2], id, string.format('%s %.0f %.0f %.0f %.3f %s %s',
      version, sums[1], sums[2], sums[3], sums[4], last_job, now))
  end
end
return 'OK'
`;
