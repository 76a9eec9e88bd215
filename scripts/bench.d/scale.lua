-- Puts or gets of random keys, as many and as large as is asked for.
-- Arguments: put or get, the number of keys, the bytes of a value; for gets the level.
local op, keys, size, level

function init(args)
  op, keys, size, level = args[1], tonumber(args[2]), tonumber(args[3]), args[4]
  math.randomseed(os.time())
  if op == "put" then
    local head = " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " .. size .. "\r\n\r\n"
    rest = head .. string.rep("v", size)
  else
    rest = "?consistency=" .. level .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
  end
  start = (op == "put" and "PUT" or "GET") .. " /v1/kv/scale/"
end

function request()
  return start .. string.format("%08d", math.random(keys) - 1) .. rest
end

dofile(os.getenv("BENCH_LUA") .. "/result.lua")
