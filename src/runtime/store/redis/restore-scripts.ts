import { PRELUDE } from './prelude.ts';
import { SERVING } from './serving-scripts.ts';

/**
 * KEYS: epoch, server, revision, routes, deployments, order, sequence, open, workers, routing, seeded, serving. ARGV: …, revision, number
 * of deployments, of each id, record, scope (empty: it has ended), key of its events, their number, the events; number
 * of routes, of each scope and record; of each worker id, record, routing part. A key of events comes as an argument:
 * their number is not known here, and their hash tag is that of the others. What the proxies gave back to an empty store
 * doesn't make it a full one.
 */
export const restore = `${PRELUDE}${SERVING}
if redis.call('EXISTS', KEYS[5]) == 1 then return 'not empty' end
if redis.call('EXISTS', KEYS[11]) == 0 and redis.call('EXISTS', KEYS[4], KEYS[9]) > 0 then return 'not empty' end
redis.call('DEL', KEYS[11])
lanewise_epoch(KEYS[4])
local at = 3
local function next_argument()
  at = at + 1
  return ARGV[at]
end
for _ = 1, tonumber(next_argument()) do
  local id, record, scope, events = next_argument(), next_argument(), next_argument(), next_argument()
  redis.call('HSET', KEYS[5], id, record)
  redis.call('ZADD', KEYS[6], redis.call('INCR', KEYS[7]), id)
  if scope ~= '' then redis.call('HSET', KEYS[8], scope, id) end
  for _ = 1, tonumber(next_argument()) do redis.call('LPUSH', events, next_argument()) end
end
for _ = 1, tonumber(next_argument()) do redis.call('HSET', KEYS[4], next_argument(), next_argument()) end
while at < #ARGV do
  local id, record, routing = next_argument(), next_argument(), next_argument()
  note_serving(KEYS[12], id, redis.call('HGET', KEYS[10], id), routing)
  redis.call('HSET', KEYS[9], id, record)
  redis.call('HSET', KEYS[10], id, routing)
end
local latest = math.max(tonumber(redis.call('GET', KEYS[3])), tonumber(ARGV[3]))
redis.call('SET', KEYS[3], string.format('%.0f', latest + 1))
return 'restored'
`;

/**
 * What a store that lost everything is given back by the proxies that remember it. KEYS: epoch, server, revision, routes,
 * workers, routing, activity, seeded, serving. ARGV: …, origin that the memory is of, its revision, number of routes, of each scope
 * and record; of each worker id, record, routing part, version.
 *
 * Several remember, some more than others. So each item is noted with the revision of the memory that it came from, and
 * one that remembers more replaces it, unless it was changed since. What was removed since stays so.
 */
export const seed = `${PRELUDE}${SERVING}
local epoch = lanewise_epoch(KEYS[4])
if string.match(epoch, '^[^.]+') == ARGV[3] then return 'known' end
local revision = tonumber(ARGV[4])
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local changes = 0
local function takes(item, record, is_untouched)
  local seeded = tonumber(redis.call('HGET', KEYS[8], item))
  if seeded and (seeded >= revision or not record or not is_untouched) then return false end
  if record and not seeded then return false end
  redis.call('HSET', KEYS[8], item, string.format('%.0f', revision))
  changes = changes + 1
  return true
end
local at = 5 + 2 * tonumber(ARGV[5])
for i = 6, at, 2 do
  local stored = redis.call('HGET', KEYS[4], ARGV[i])
  local seeded = tonumber(redis.call('HGET', KEYS[8], 'route ' .. ARGV[i]))
  if takes('route ' .. ARGV[i], stored, seeded and tonumber(head_of(stored)) <= seeded) then
    redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1])
  end
end
for i = at + 1, #ARGV, 4 do
  local id = ARGV[i]
  local stored = redis.call('HGET', KEYS[5], id)
  if takes('worker ' .. id, stored, head_of(stored) == '1') then
    note_serving(KEYS[9], id, redis.call('HGET', KEYS[6], id), ARGV[i + 2])
    redis.call('HSET', KEYS[5], id, ARGV[i + 1])
    redis.call('HSET', KEYS[6], id, ARGV[i + 2])
    redis.call('HSET', KEYS[7], id, ARGV[i + 3] .. ' 0 0 0 0 0 ' .. now)
  end
end
if changes == 0 then return 'known' end
local latest = math.max(tonumber(redis.call('GET', KEYS[3])), revision)
redis.call('SET', KEYS[3], string.format('%.0f', latest + 1))
return 'seeded'
`;
