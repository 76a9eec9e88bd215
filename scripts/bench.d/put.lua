-- Puts of 100 bytes to 4,096 keys; arguments: "preload" takes the keys in order, else at random.
local keys = 4096
local requests = {}
local order = false
local at = 0

function init(args)
  order = args[1] == "preload"
  math.randomseed(os.time())
  for i = 1, keys do
    local body = string.rep("v", 96) .. string.format("%04d", i)
    requests[i] = wrk.format("PUT", string.format("/v1/kv/bench/%04d", i), nil, body)
  end
end

function request()
  at = order and at % keys + 1 or math.random(keys)
  return requests[at]
end

dofile(os.getenv("BENCH_LUA") .. "/result.lua")
