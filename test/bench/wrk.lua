-- For wrk: POSTs with sticky keys in turn, and a summary in one line of JSON.
-- Arguments: bytes of the body, number of queues (0: the path as it is), requests a second (0: as many as it can).

local keys = 10000
local body_bytes_in_all = 64 * 1024 * 1024

local requests = {}
local turn = 0

function init(args)
  local bytes, queues, rate = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  local count = math.max(4, math.min(keys, math.floor(body_bytes_in_all / math.max(1, bytes))))
  local body = string.rep("x", bytes)
  for i = 1, count do
    local path = queues == 0 and wrk.path or wrk.path .. "-" .. (i % queues)
    local headers = { ["X-Canary-Sticky-Key"] = "customer-" .. i, ["Content-Type"] = "application/json" }
    requests[i] = wrk.format("POST", path, headers, body)
  end
  if rate > 0 then keep_to(rate) end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

-- Arrivals at random (Poisson), whatever the answers take: each connection that is free waits for the next one.
function keep_to(rate)
  local ffi = require("ffi")
  ffi.cdef("typedef struct { long seconds; long nanoseconds; } moment; int clock_gettime(int, moment *);")
  local moment = ffi.new("moment")
  local function now()
    ffi.C.clock_gettime(1, moment)
    return tonumber(moment.seconds) * 1000 + tonumber(moment.nanoseconds) / 1e6
  end
  local due = now()
  function delay()
    local time = now()
    due = due - 1000 / rate * math.log(1 - math.random())
    return math.max(0, math.floor(due - time + 0.5))
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"failures":%d,"p50":%f,"p99":%f,"p999":%f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000))
end
