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

dofile(os.getenv("BENCH_LUA") .. "/result.lua")
