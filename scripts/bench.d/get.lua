-- Gets of random ones of the 4,096 preloaded keys; argument: the level.
local keys = 4096
local requests = {}

function init(args)
  math.randomseed(os.time())
  for i = 1, keys do
    requests[i] = wrk.format("GET",
      string.format("/v1/kv/bench/%04d?consistency=%s", i, args[1]))
  end
end

function request()
  return requests[math.random(keys)]
end

-- One line for scripts/bench: answers, microseconds, failures, p50 and p99 in microseconds.
function done(summary, latency)
  local e = summary.errors
  print(string.format("result %d %d %d %d %d", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
