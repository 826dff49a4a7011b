/** KEYS: deployments, routes. ARGV: id. Returns the record and that of its scope's route, empty without one. */
export const readRoutedDeployment = `
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record then return {} end
local scope = string.match(record, '^%S+ %S+ (%S+) ')
return {record, scope and redis.call('HGET', KEYS[2], scope) or ''}
`;

/**
 * KEYS: deployments, order, open. ARGV: statuses, queue, tenant (each empty: any), whether only open ones can match; then
 * the ended ones, which pile up, are not even looked at; offset, limit (-1: none). Returns how many there are, and of the
 * part that was asked for id, record, id, record…, newest first.
 *
 * The number of commands grows with the list by one for 500; what can be said by the scope is not read at all.
 */
export const listDeployments = `
local queue, tenant, offset, limit = ARGV[2], ARGV[3], tonumber(ARGV[5]), tonumber(ARGV[6])
local SLICE = 500
local statuses, any_status = {}, ARGV[1] == ''
for status in string.gmatch(ARGV[1], '%S+') do statuses[status] = true end

local function is_of_scope(scope)
  local of_queue, of_tenant = string.match(scope, '^([^|]+)|?(.*)$')
  return (queue == '' or queue == of_queue) and (tenant == '' or tenant == of_tenant)
end

local function each_slice(ids, work)
  for first = 1, #ids, SLICE do
    work(first, math.min(#ids, first + SLICE - 1))
  end
end

local function each_match(ids, take)
  each_slice(ids, function(first, last)
    for i, record in ipairs(redis.call('HMGET', KEYS[1], unpack(ids, first, last))) do
      local status, scope = string.match(record or '', '^%S+ (%S+) (%S+) ')
      if status and (any_status or statuses[status]) and is_of_scope(scope) then
        take(ids[first + i - 1], record)
      end
    end
  end)
end

-- Only what its scope admits, in no order.
local function open_ids()
  local scopes, ids = redis.call('HGETALL', KEYS[3]), {}
  for i = 1, #scopes, 2 do
    if is_of_scope(scopes[i]) then ids[#ids + 1] = scopes[i + 1] end
  end
  return ids
end

local function put_newest_first(ids)
  local sequences = {}
  each_slice(ids, function(first, last)
    for i, score in ipairs(redis.call('ZMSCORE', KEYS[2], unpack(ids, first, last))) do
      sequences[ids[first + i - 1]] = tonumber(score or '0')
    end
  end)
  table.sort(ids, function(a, b) return sequences[a] > sequences[b] end)
end

local found, total = {''}, 0
local function found_one(id, record)
  total = total + 1
  if total > offset and (limit < 0 or total <= offset + limit) then
    found[#found + 1] = id
    found[#found + 1] = record
  end
end

if any_status and queue == '' and tenant == '' and limit >= 0 then
  total = redis.call('ZCARD', KEYS[2])
  found[1] = string.format('%.0f', total)
  local ids = limit == 0 and {} or redis.call('ZREVRANGE', KEYS[2], offset, offset + limit - 1)
  offset, limit = 0, -1
  each_match(ids, found_one)
elseif ARGV[4] == '1' then
  -- Few match, where somebody looks for those that are being drained: only they are put in order.
  local ids, records = {}, {}
  each_match(open_ids(), function(id, record)
    ids[#ids + 1] = id
    records[id] = record
  end)
  put_newest_first(ids)
  for _, id in ipairs(ids) do found_one(id, records[id]) end
else
  each_match(redis.call('ZREVRANGE', KEYS[2], 0, -1), found_one)
end
if found[1] == '' then found[1] = string.format('%.0f', total) end
return found
`;
