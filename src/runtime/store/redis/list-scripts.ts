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

-- Only what its scope admits.
local function open_ids()
  local scopes, ids = redis.call('HGETALL', KEYS[3]), {}
  for i = 1, #scopes, 2 do
    if is_of_scope(scopes[i]) then ids[#ids + 1] = scopes[i + 1] end
  end
  local sequences = {}
  for first = 1, #ids, SLICE do
    local last = math.min(#ids, first + SLICE - 1)
    for i, score in ipairs(redis.call('ZMSCORE', KEYS[2], unpack(ids, first, last))) do
      sequences[ids[first + i - 1]] = tonumber(score or '0')
    end
  end
  table.sort(ids, function(a, b) return sequences[a] > sequences[b] end)
  return ids
end

local is_open_only = ARGV[4] == '1'
local found, total = {''}, 0
local ids
if any_status and queue == '' and tenant == '' and limit >= 0 then
  total = redis.call('ZCARD', KEYS[2])
  ids = limit == 0 and {} or redis.call('ZREVRANGE', KEYS[2], offset, offset + limit - 1)
  found[1] = string.format('%.0f', total)
  offset, limit = 0, -1
else
  ids = is_open_only and open_ids() or redis.call('ZREVRANGE', KEYS[2], 0, -1)
end
for first = 1, #ids, SLICE do
  local last = math.min(#ids, first + SLICE - 1)
  for i, record in ipairs(redis.call('HMGET', KEYS[1], unpack(ids, first, last))) do
    local status, scope = string.match(record or '', '^%S+ (%S+) (%S+) ')
    if status and (any_status or statuses[status]) and is_of_scope(scope) then
      total = total + 1
      if total > offset and (limit < 0 or total <= offset + limit) then
        found[#found + 1] = ids[first + i - 1]
        found[#found + 1] = record
      end
    end
  end
end
if found[1] == '' then found[1] = string.format('%.0f', total) end
return found
`;
