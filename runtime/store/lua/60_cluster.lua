-- Processes and leases: for liveness only. Safety comes from the position alone, so the server's clock may jump.

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- cs_beat_1: this process is alive. KEYS[1] processes (zset by expiry)  [2] descriptions (hash)
--   ARGV[1] process incarnation  [2] milliseconds to live (0: it leaves)  [3] description
-- Answers {OK, living incarnation, description, ...}
local function beat(keys, args)
  local now = now_ms()
  if args[2] == '0' then
    redis.call('ZREM', keys[1], args[1])
    redis.call('HDEL', keys[2], args[1])
  else
    redis.call('ZADD', keys[1], now + tonumber(args[2]), args[1])
    redis.call('HSET', keys[2], args[1], args[3])
  end
  local gone = redis.call('ZRANGEBYSCORE', keys[1], '-inf', now)
  if #gone > 0 then
    redis.call('ZREM', keys[1], unpack(gone))
    redis.call('HDEL', keys[2], unpack(gone))
  end
  local living = {'OK'}
  for _, process in ipairs(redis.call('ZRANGE', keys[1], 0, -1)) do
    living[#living + 1] = process
    living[#living + 1] = redis.call('HGET', keys[2], process) or ''
  end
  return living
end

redis.register_function{function_name = 'cs_beat_1', callback = beat, flags = {'allow-oom'}}

-- cs_lease_1: takes, renews or gives back leases of one partition. KEYS = lease keys
--   ARGV[1] process incarnation  [2] milliseconds to live  [3..] per key: 'take' (also renews) | 'release'
-- Answers {OK, owner, owner ...}: who holds each lease now ('' = nobody)
local function lease(keys, args)
  local owners = {'OK'}
  for n, key in ipairs(keys) do
    local owner = redis.call('GET', key) or ''
    if args[n + 2] == 'release' then
      if owner == args[1] then
        redis.call('DEL', key)
        owner = ''
      end
    elseif owner == '' or owner == args[1] then
      redis.call('SET', key, args[1], 'PX', args[2])
      owner = args[1]
    end
    owners[n + 1] = owner
  end
  return owners
end

redis.register_function{function_name = 'cs_lease_1', callback = lease, flags = {'allow-oom'}}
