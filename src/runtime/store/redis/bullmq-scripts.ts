import { FENCES, PRELUDE } from './lane-script-parts.ts';

/**
 * What we remember of a queue whose lanes are BullMQ's, beside BullMQ's keys and never in them: fences and ledger as for
 * lists, and behind `<base>:lanewise:`
 * - `adding:<id>` string: `<lane> <epoch> <revision>` of a job that was about to be given to BullMQ; expires
 * - `paused` string: a token while the canary's queue is paused by us
 * - `moves` string: a token while somebody moves jobs between the two queues; expires
 */

/**
 * ARGV: …, epoch, revision, ledger TTL, then for each job: id, lane, tenant (or empty).
 * Returns `stale`, or `noted` and for each job: `known <lane>`, `new`, or of one that somebody was about to add and whose
 * end is unknown, `adding <lane>`, or `outdated <lane>` if a fence stands by now against what it was routed by.
 */
const noteJobs = `${PRELUDE}${FENCES}
local epoch, revision, ttl, result = ARGV[3], ARGV[4], ARGV[5], {'noted'}
for i = 6, #ARGV, 3 do
  local id, tenant = ARGV[i], ARGV[i + 2]
  local known = redis.call('GET', own .. 'job:' .. id)
  if known then
    result[#result + 1] = 'known ' .. known
  elseif is_fenced_off(tenant, epoch, revision) then
    return {'stale'}
  else
    local adding = redis.call('GET', own .. 'adding:' .. id)
    local of_lane, of_epoch, of_revision = string.match(adding or '', '^(%S+) (%S+) (%S+)$')
    if not of_lane then
      result[#result + 1] = 'new'
    else
      result[#result + 1] = (is_fenced_off(tenant, of_epoch, of_revision) and 'outdated ' or 'adding ') .. of_lane
    end
  end
end
for i = 6, #ARGV, 3 do
  local answer = result[(i - 6) / 3 + 2]
  if answer == 'new' or string.sub(answer, 1, 8) == 'outdated' then
    redis.call('SET', own .. 'adding:' .. ARGV[i], ARGV[i + 1] .. ' ' .. epoch .. ' ' .. revision, 'PX', ttl)
  end
end
return result
`;

/**
 * Of jobs that BullMQ has. ARGV: …, epoch, revision, ledger TTL, then for each: id, lane, tenant (or empty).
 * Returns the token of our pause (or empty), and for each job: `stored`, or `fenced` if it went to the canary and a
 * fence was raised meanwhile; nothing is written of that one.
 */
const confirmJobs = `${PRELUDE}${FENCES}
local epoch, revision, ttl = ARGV[3], ARGV[4], ARGV[5]
local result = {redis.call('GET', own .. 'paused') or ''}
for i = 6, #ARGV, 3 do
  local id, lane, tenant = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if lane == 'canary' and is_fenced_off(tenant, epoch, revision) then
    result[#result + 1] = 'fenced'
  else
    redis.call('SET', own .. 'job:' .. id, lane, 'PX', ttl)
    redis.call('DEL', own .. 'adding:' .. id)
    result[#result + 1] = 'stored'
  end
end
return result
`;

/** ARGV: …, ledger TTL, then for each job: id, lane. Whatever the fences say. */
const settleJobs = `${PRELUDE}
for i = 4, #ARGV, 2 do
  redis.call('SET', own .. 'job:' .. ARGV[i], ARGV[i + 1], 'PX', ARGV[3])
  redis.call('DEL', own .. 'adding:' .. ARGV[i])
end
return 'OK'
`;

/** ARGV: …, token, `held` if it is paused already. Returns 1, or 0 if that pause is somebody else's. */
const notePause = `${PRELUDE}
if ARGV[4] == 'held' and redis.call('EXISTS', own .. 'paused') == 0 then return '0' end
redis.call('SET', own .. 'paused', ARGV[3])
return '1'
`;

/** ARGV: …, token. Returns the token of a pause that came after it, empty if there is none. */
const forgetPause = `${PRELUDE}
local token = redis.call('GET', own .. 'paused') or ''
if token ~= ARGV[3] then return token end
redis.call('DEL', own .. 'paused')
return ''
`;

/** ARGV: …, token, milliseconds. Takes or renews. Returns 1, or 0 if somebody else has it. */
const claimMoves = `${PRELUDE}
local holder = redis.call('GET', own .. 'moves')
if holder and holder ~= ARGV[3] then return '0' end
redis.call('SET', own .. 'moves', ARGV[3], 'PX', ARGV[4])
return '1'
`;

/** ARGV: …, token. */
const releaseMoves = `${PRELUDE}
if redis.call('GET', own .. 'moves') == ARGV[3] then redis.call('DEL', own .. 'moves') end
return 'OK'
`;

export const BULLMQ_SCRIPTS = {
  noteJobs: { lua: noteJobs, numberOfKeys: 1 },
  confirmJobs: { lua: confirmJobs, numberOfKeys: 1 },
  settleJobs: { lua: settleJobs, numberOfKeys: 1 },
  notePause: { lua: notePause, numberOfKeys: 1 },
  forgetPause: { lua: forgetPause, numberOfKeys: 1 },
  claimMoves: { lua: claimMoves, numberOfKeys: 1 },
  releaseMoves: { lua: releaseMoves, numberOfKeys: 1 },
} as const;
