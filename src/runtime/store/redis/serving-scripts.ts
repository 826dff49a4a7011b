/**
 * Which workers there are, and which serve which queue: in one sorted set, whose members have no score but their order.
 * ` <id>` is there for each worker and `<queue> <id>` for each of its queues (names have no spaces), so the workers of a
 * queue, or all of them, are a stretch of it, by id. Kept by whatever script changes a worker.
 */
export const SERVING = `
local function served_by(id, routing)
  local entries = {' ' .. id}
  local ok, worker = pcall(cjson.decode, routing or '')
  local queues = ok and type(worker) == 'table' and worker.queues
  if type(queues) ~= 'table' then return entries end
  for _, queue in ipairs(queues) do
    if type(queue) == 'string' then entries[#entries + 1] = queue .. ' ' .. id end
  end
  return entries
end

local function forget_serving(serving, id, routing)
  for _, entry in ipairs(served_by(id, routing)) do redis.call('ZREM', serving, entry) end
end

local function note_serving(serving, id, before, after)
  if before then forget_serving(serving, id, before) end
  for _, entry in ipairs(served_by(id, after)) do redis.call('ZADD', serving, 0, entry) end
end
`;

/** KEYS: workers, routing, serving. Where the index is not of these workers (it was lost, or something else changed them) it is made anew. */
const CHECKED = `${SERVING}
if redis.call('ZLEXCOUNT', KEYS[3], '[ ', '(!') ~= redis.call('HLEN', KEYS[1]) then
  redis.call('DEL', KEYS[3])
  for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
    note_serving(KEYS[3], id, nil, redis.call('HGET', KEYS[2], id))
  end
end
`;

/** Ids that are read in one command. */
const SLICE = 500;

/**
 * KEYS: workers, routing, serving. ARGV: queue (empty: any), offset, limit (-1: none). Returns how many there are, and of
 * the part that was asked for id, record, id, record…, by id.
 */
export const listWorkers = `${CHECKED}
local queue, offset, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local first, beyond = '[' .. queue .. ' ', '(' .. queue .. '!'
local found = {string.format('%.0f', redis.call('ZLEXCOUNT', KEYS[3], first, beyond))}
local entries
if limit < 0 then
  entries = redis.call('ZRANGEBYLEX', KEYS[3], first, beyond)
elseif limit == 0 then
  entries = {}
elseif queue == '' then
  -- They are the first of the set, so that nothing is passed over one by one.
  local last = math.min(offset + limit, tonumber(found[1])) - 1
  entries = last < offset and {} or redis.call('ZRANGE', KEYS[3], offset, last)
else
  entries = redis.call('ZRANGEBYLEX', KEYS[3], first, beyond, 'LIMIT', offset, limit)
end
local ids = {}
for i, entry in ipairs(entries) do ids[i] = string.sub(entry, #queue + 2) end
for from = 1, #ids, ${SLICE} do
  local to = math.min(#ids, from + ${SLICE} - 1)
  for i, record in ipairs(redis.call('HMGET', KEYS[1], unpack(ids, from, to))) do
    if record then
      found[#found + 1] = ids[from + i - 1]
      found[#found + 1] = record
    end
  end
end
return found
`;

/**
 * KEYS: workers, routing, serving. ARGV: the last queue that is known (empty: none), how many to name. Passes from one
 * queue to the next, however many workers each has.
 */
export const listServedQueues = `${CHECKED}
-- A blank goes before every name, so what has one in front is left out.
local first = ARGV[1] == '' and '[!' or '(' .. ARGV[1] .. '!'
local queues = {}
for i = 1, tonumber(ARGV[2]) do
  local entry = redis.call('ZRANGEBYLEX', KEYS[3], first, '+', 'LIMIT', 0, 1)[1]
  if not entry then break end
  queues[i] = string.match(entry, '^[^ ]+')
  first = '(' .. queues[i] .. '!'
end
return queues
`;
