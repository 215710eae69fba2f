-- What an operator does to a partition. Each leaves a line in the operations stream: who, what, why.
-- All of it runs under OOM too: that is when an operator is needed.

local function record_operation(keys, at, who, what, subject, why)
  redis.call('XADD', keys[at], '*', 'who', who, 'what', what, 'subject', subject, 'reason', why)
end

-- cs_retry_1: asks the runner of a group to take the parked entries of entities again, in order.
--   KEYS[1] held entities  [2] retry list  [3] operations   ARGV[1] who  [2] reason  [3..] entities ('*' = all held)
-- Answers {OK, number of entities asked for}
local function retry(keys, args)
  local asked = {}
  if args[3] == '*' then
    asked = redis.call('HKEYS', keys[1])
  else
    for n = 3, #args do
      if redis.call('HEXISTS', keys[1], args[n]) == 1 then asked[#asked + 1] = args[n] end
    end
  end
  for _, command in ipairs({'LREM', 'RPUSH'}) do require_right(command, keys[2]) end
  require_right('XADD', keys[3])
  for _, entity in ipairs(asked) do
    redis.call('LREM', keys[2], 0, entity)
    redis.call('RPUSH', keys[2], entity)
    record_operation(keys, 3, args[1], 'retry', entity, args[2])
  end
  return {'OK', tostring(#asked)}
end

redis.register_function{function_name = 'cs_retry_1', callback = retry, flags = {'allow-oom'}}

-- cs_drop_1: gives one parked entry up, for good.
--   KEYS[1] parked stream  [2] held entities  [3] operations    ARGV[1] who  [2] reason  [3] parked id  [4] entity
-- Answers {OK, entries still parked of that entity} | {MISSING}
local function drop(keys, args)
  local found = redis.call('XRANGE', keys[1], args[3], args[3])
  if #found == 0 then return {'MISSING'} end
  require_right('XADD', keys[3])
  require_right('XDEL', keys[1])
  require_right('HINCRBY', keys[2])
  require_right('HDEL', keys[2])
  local summary = {}
  for i = 1, #found[1][2], 2 do
    local name = found[1][2][i]
    if name == 'group' or name == 'originId' or name == 'reason' then summary[#summary + 1] = found[1][2][i + 1] end
  end
  record_operation(keys, 3, args[1], 'drop', args[4] .. ' ' .. table.concat(summary, ' '), args[2])
  redis.call('XDEL', keys[1], args[3])
  local left = redis.call('HINCRBY', keys[2], args[4], -1)
  if left <= 0 then redis.call('HDEL', keys[2], args[4]) end
  return {'OK', tostring(math.max(left, 0))}
end

redis.register_function{function_name = 'cs_drop_1', callback = drop, flags = {'allow-oom'}}

-- cs_unretry_1: the runner has taken a request for another try from the list.
--   KEYS[1] retry list   ARGV[1] entity
local function unretry(keys, args)
  return {'OK', tostring(redis.call('LREM', keys[1], 0, args[1]))}
end

redis.register_function{function_name = 'cs_unretry_1', callback = unretry, flags = {'allow-oom'}}

-- cs_halt_1: halts a partition by hand, or (with an empty reason) lets it go on after the cause was repaired.
--   KEYS[1] state  [2] operations  [3..] position records     ARGV[1] who  [2] reason to halt or ''  [3] note
-- Answers {OK, what it was halted for}
local function hold(keys, args)
  local before = redis.call('HGET', keys[1], 'halted') or ''
  require_right('XADD', keys[2])
  if args[2] == '' then
    redis.call('HDEL', keys[1], 'halted')
    for n = 3, #keys do redis.call('HDEL', keys[n], 'torn') end
    record_operation(keys, 2, args[1], 'resume', before, args[3])
  else
    redis.call('HSET', keys[1], 'halted', args[2])
    record_operation(keys, 2, args[1], 'halt', args[2], args[3])
  end
  return {'OK', before}
end

redis.register_function{function_name = 'cs_halt_1', callback = hold, flags = {'allow-oom'}}
