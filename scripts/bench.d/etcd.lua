-- etcd by HTTP, 4,096 keys of 100 bytes. Arguments: v3 (the gateway, JSON) or v2, and put, get
-- (linearizable) or local (of the node asked alone).
local keys = 4096
local requests = {}

local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for place = 1, 4 do
      local digit = math.floor(n / 64 ^ (4 - place)) % 64 + 1
      local padding = (place == 3 and not b) or (place == 4 and not c)
      out[#out + 1] = padding and "=" or digits:sub(digit, digit)
    end
  end
  return table.concat(out)
end

function init(args)
  local api, op = args[1], args[2]
  math.randomseed(os.time())
  for i = 1, keys do
    local key = string.format("bench/%04d", i)
    local value = string.rep("v", 96) .. string.format("%04d", i)
    if api == "v3" and op == "put" then
      requests[i] = wrk.format("POST", "/v3/kv/put", nil,
        string.format('{"key":"%s","value":"%s"}', base64(key), base64(value)))
    elseif api == "v3" then
      requests[i] = wrk.format("POST", "/v3/kv/range", nil, string.format('{"key":"%s"%s}',
        base64(key), op == "local" and ',"serializable":true' or ""))
    elseif op == "put" then
      requests[i] = wrk.format("PUT", "/v2/keys/" .. key,
        {["Content-Type"] = "application/x-www-form-urlencoded"}, "value=" .. value)
    else
      requests[i] = wrk.format("GET", "/v2/keys/" .. key .. (op == "get" and "?quorum=true" or ""))
    end
  end
end

function request()
  return requests[math.random(keys)]
end

dofile(os.getenv("BENCH_LUA") .. "/result.lua")
