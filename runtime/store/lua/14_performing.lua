-- Performs checked effects, and marks a partition torn where the store refuses one after all.

-- Calls the store; an error leaves by `error`, caught once by the function that has begun to write.
local function write(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then error({torn = reply.err}) end
  return reply
end

-- Performs one checked effect. `del` is not among them: see `perform_all`; `raise` has become a `set` by then.
local function perform(op, keys)
  local verb = op[1]
  local key = keys[op[2]]
  if verb == 'hset' then
    write('HSET', key, unpack(op, 3))
  elseif verb == 'hincr' then
    for i = 3, #op, 2 do write('HINCRBY', key, op[i], op[i + 1]) end
  elseif verb == 'hdel' then
    write('HDEL', key, unpack(op, 3))
  elseif verb == 'sadd' then
    write('SADD', key, unpack(op, 3))
  elseif verb == 'srem' then
    write('SREM', key, unpack(op, 3))
  elseif verb == 'zadd' then
    write('ZADD', key, unpack(op, 3))
  elseif verb == 'zincr' then
    for i = 3, #op, 2 do write('ZINCRBY', key, op[i], op[i + 1]) end
  elseif verb == 'zrem' then
    write('ZREM', key, unpack(op, 3))
  elseif verb == 'rpush' then
    write('RPUSH', key, unpack(op, 3))
  elseif verb == 'lrem' then
    for i = 3, #op do write('LREM', key, 1, op[i]) end
  elseif verb == 'set' then
    if op[4] == '0' then write('SET', key, op[3]) else write('SET', key, op[3], 'PX', op[4]) end
  elseif verb == 'expire' then
    write('PEXPIRE', key, op[3])
  elseif verb == 'xadd' then
    if op[3] == '0' then
      write('XADD', key, '*', unpack(op, 4))
    else
      write('XADD', key, 'MAXLEN', '~', op[3], '*', unpack(op, 4))
    end
  elseif verb == 'publish' then
    write('PUBLISH', op[3], op[4])
  else
    error({torn = verb .. ' was not checked'})
  end
end

-- Performs checked effects in their order; keys that go one after the other go by one command.
local function perform_all(ops, keys)
  local gone = {}
  for _, op in ipairs(ops) do
    local takes_away = op[1] == 'del'
    if #gone > 0 and (not takes_away or #gone == MOST_DELETED) then
      write('DEL', unpack(gone))
      gone = {}
    end
    if takes_away then gone[#gone + 1] = keys[op[2]] else perform(op, keys) end
  end
  if #gone > 0 then write('DEL', unpack(gone)) end
end

-- Runs `body` that writes; an error marks the partition torn and halted. Returns nil or {'TORN', why}.
-- A user who may not leave that mark may not begin: half a call would then look like none.
local function guarded(state_key, mark, body)
  for _, key in ipairs({state_key, mark}) do require_right('HSET', key) end
  local done, problem = pcall(body)
  if done then return nil end
  local why = type(problem) == 'table' and problem.torn or tostring(problem)
  if mark then redis.pcall('HSET', mark, 'torn', why) end
  redis.pcall('HSET', state_key, 'halted', 'TORN: ' .. why)
  return {'TORN', why}
end
