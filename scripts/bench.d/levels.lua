-- One thread per node, so that connections are spread evenly; 4,096 keys of 100 bytes for each level.
-- Arguments: put, get or preload (puts in order), and the level. BENCH_PORTS has the nodes' ports.
local keys = 4096
local requests = {}
local ordered = false
local at = 0
local threads = 0

function setup(thread)
  local ports = {}
  for port in string.gmatch(os.getenv("BENCH_PORTS"), "%d+") do ports[#ports + 1] = port end
  thread.addr = wrk.lookup(wrk.host, ports[threads % #ports + 1])[1]
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  local op, level = args[1], args[2]
  ordered = op == "preload"
  math.randomseed(os.time() * 10 + number)
  for i = 1, keys do
    local target = string.format("/v1/kv/bench/%s/%04d?consistency=%s", level, i, level)
    local body = op ~= "get" and string.rep("v", 96) .. string.format("%04d", i) or nil
    requests[i] = wrk.format(body and "PUT" or "GET", target, nil, body)
  end
end

function request()
  at = ordered and at % keys + 1 or math.random(keys)
  return requests[at]
end

-- One line for scripts/bench: answers, microseconds, failures, p50 and p99 in microseconds.
function done(summary, latency)
  local e = summary.errors
  print(string.format("result %d %d %d %d %d", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
