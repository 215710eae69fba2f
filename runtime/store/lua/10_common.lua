-- Shared by every function of the library. Nothing here runs while the library loads but assignments and
-- definitions: `ipairs` and `pairs` are not there yet at that time (Redis 7.0, Valkey 9).
--
-- Redis rolls nothing back when a function fails half way. So: everything is checked before the first write,
-- writes go by redis.pcall, and an error after the first write marks the partition torn and halted until an operator
-- has looked at it.

local ACK_SLICE = 1000            -- unpack() stops at 7,999 values
local MAX_DIGITS = 15             -- integers in effects stay far from the overflow of HINCRBY (2^63)

-- What each verb of the closed list needs: the type of its key, and the shape of its arguments.
local VERB_TYPE = {
  hset = 'hash', hdel = 'hash', hincr = 'hash',
  sadd = 'set', srem = 'set',
  zadd = 'zset', zincr = 'zset', zrem = 'zset',
  rpush = 'list', lrem = 'list',
  set = 'string', raise = 'string',
  del = 'any', expire = 'any',
  xadd = 'stream', publish = 'none',
}

local function is_integer(text)
  return type(text) == 'string' and #text <= MAX_DIGITS + 1 and string.find(text, '^%-?%d+$') ~= nil
end

local function is_number(text)
  return type(text) == 'string' and #text <= 24 and string.find(text, '^%-?%d+%.?%d*$') ~= nil
end

local function all_texts(op, from)
  for i = from, #op do
    if type(op[i]) ~= 'string' then return false end
  end
  return true
end

-- Marks the partition halted, so that append and every settle refuse until an operator resumes it.
local function halt(state_key, why)
  if redis.call('EXISTS', state_key) == 1 then redis.call('HSET', state_key, 'halted', why) end
end

-- The state of a (log, partition): nil when it may be written, else an answer that says why not.
local function refuse_log(log_key, state_key, incarnation)
  local state = redis.call('HMGET', state_key, 'incarnation', 'halted')
  if not state[1] then return {'LOST', 'no log was ever opened here, or the store was emptied'} end
  if state[1] ~= incarnation then
    return {'LOST', 'another incarnation of the log: ' .. state[1]}
  end
  if state[2] then return {'HALTED', state[2]} end
  if redis.call('EXISTS', log_key) == 0 then
    halt(state_key, 'LOST: the stream is gone')
    return {'LOST', 'the stream is gone'}
  end
  return nil
end

-- Arity and arguments of one effect, no look at the store. Returns nil, or what is wrong.
local function misformed(op)
  local verb = op[1]
  local count = #op - 2
  if VERB_TYPE[verb] == nil then return 'unknown verb ' .. tostring(verb) end
  if not all_texts(op, 3) then return verb .. ': an argument is not text' end
  if verb == 'hset' or verb == 'xadd' then
    local pairs_from = verb == 'xadd' and count - 1 or count
    if pairs_from < 2 or pairs_from % 2 ~= 0 then return verb .. ': fields come in pairs' end
    if verb == 'xadd' and not is_integer(op[3]) then return 'xadd: the length limit is no integer' end
  elseif verb == 'hincr' then
    if count < 2 or count % 2 ~= 0 then return 'hincr: fields come in pairs' end
    for i = 4, #op, 2 do
      if not is_integer(op[i]) then return 'hincr: not an integer of at most 15 digits: ' .. op[i] end
    end
  elseif verb == 'zadd' or verb == 'zincr' then
    if count < 2 or count % 2 ~= 0 then return verb .. ': scores and members come in pairs' end
    for i = 3, #op, 2 do
      if not is_number(op[i]) then return verb .. ': not a number: ' .. op[i] end
    end
  elseif verb == 'set' or verb == 'raise' then
    if count ~= 2 or not is_integer(op[4]) then return verb .. ': needs a value and milliseconds' end
    if verb == 'raise' and not is_integer(op[3]) then return 'raise: not an integer: ' .. op[3] end
  elseif verb == 'expire' then
    if count ~= 1 or not is_integer(op[3]) then return 'expire: needs milliseconds' end
  elseif verb == 'del' then
    if count ~= 0 then return 'del: takes no argument' end
  elseif verb == 'publish' then
    if count ~= 2 then return 'publish: needs a channel and a message' end
  elseif count < 1 then
    return verb .. ': needs an argument'
  end
  return nil
end

-- Checks effects against the store: declared key, type, and that what is counted up is an integer now.
-- `types` simulates what earlier effects of the same call make of a key. Returns nil, or what is wrong.
local function unfit(op, keys, types)
  local wrong = misformed(op)
  if wrong then return wrong end
  local verb = op[1]
  if verb == 'publish' then return nil end
  local key = keys[op[2]]
  if key == nil then return verb .. ': its key is not declared' end
  local kind = types[key]
  if kind == nil then
    kind = redis.call('TYPE', key).ok
    types[key] = kind
  end
  local wanted = VERB_TYPE[verb]
  if wanted ~= 'any' and kind ~= 'none' and kind ~= wanted then
    return verb .. ' on ' .. key .. ': it is a ' .. kind .. ', not a ' .. wanted
  end
  if verb == 'hincr' and kind == 'hash' then
    local fields = {}
    for i = 3, #op, 2 do fields[#fields + 1] = op[i] end
    local now = redis.call('HMGET', key, unpack(fields))
    for i = 1, #fields do
      if now[i] and not is_integer(now[i]) then
        return 'hincr on ' .. key .. ': field ' .. fields[i] .. ' holds no integer of at most 15 digits'
      end
    end
  elseif verb == 'raise' and kind == 'string' then
    if not is_integer(redis.call('GET', key)) then return 'raise on ' .. key .. ': it holds no integer' end
  end
  if verb == 'del' then types[key] = 'none' elseif wanted ~= 'any' then types[key] = wanted end
  return nil
end

-- Calls the store; an error leaves by `error`, caught once by the function that has begun to write.
local function write(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then error({torn = reply.err}) end
  return reply
end

-- Performs one checked effect.
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
  elseif verb == 'raise' then
    local now = redis.call('GET', key)
    local value = op[3]
    if now and tonumber(now) > tonumber(value) then value = now end
    if op[4] == '0' then write('SET', key, value) else write('SET', key, value, 'PX', op[4]) end
  elseif verb == 'del' then
    write('DEL', key)
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
  end
end

-- One unit of append, as it travels: positions in a plain array, so that it decodes fast.
local U_LOG, U_HEAD, U_SNAPSHOT, U_HISTORY, U_COMMAND = 1, 2, 3, 4, 5
local U_EXPECTED, U_TTL, U_EVENTS, U_FIELDS, U_OPS = 6, 7, 8, 9, 10

-- Checks one unit. Returns nil when it may be written, {'REPEATED', ...} with the first answer, or a refusal.
-- `versions` simulates what earlier units of the same call make of a head.
local function refuse_unit(unit, keys, versions, types)
  local command = keys[unit[U_COMMAND]]
  if command then
    local first = redis.call('GET', command)
    if first then return {'REPEATED', cmsgpack.unpack(first)} end
  end
  local head = keys[unit[U_HEAD]]
  local version = versions[head]
  if version == nil then version = tonumber(redis.call('GET', head) or '0') end
  if version ~= unit[U_EXPECTED] then return {'CONFLICT', head, tostring(version)} end
  for _, event in ipairs(unit[U_EVENTS]) do
    if #event < 2 or #event % 2 ~= 0 or not all_texts(event, 1) then
      return {'INVALID', 'an event is not made of pairs of text'}
    end
  end
  for _, name in ipairs({U_SNAPSHOT, U_HISTORY}) do
    local key = keys[unit[name]]
    local wanted = name == U_SNAPSHOT and 'hash' or 'list'
    if types[key] == nil then types[key] = redis.call('TYPE', key).ok end
    if types[key] ~= 'none' and types[key] ~= wanted then
      return {'INVALID', key .. ' is a ' .. types[key] .. ', not a ' .. wanted}
    end
  end
  for _, op in ipairs(unit[U_OPS]) do
    local wrong = unfit(op, keys, types)
    if wrong then return {'INVALID', wrong} end
  end
  versions[head] = version + #unit[U_EVENTS]
  return nil
end

-- Writes one checked unit: events, head, snapshot, history, its own effects, the result under the command id.
-- Returns {version, id, id ...}.
local function write_unit(unit, logs, keys)
  local log_key = keys[logs[unit[U_LOG]][1]]
  local version = unit[U_EXPECTED] + #unit[U_EVENTS]
  local result = {tostring(version)}
  for _, event in ipairs(unit[U_EVENTS]) do
    local id = write('XADD', log_key, 'NOMKSTREAM', '*', unpack(event))
    if not id then error({torn = 'the stream ' .. log_key .. ' vanished'}) end
    result[#result + 1] = id
  end
  write('SET', keys[unit[U_HEAD]], result[1])
  if #unit[U_FIELDS] > 0 then write('HSET', keys[unit[U_SNAPSHOT]], unpack(unit[U_FIELDS])) end
  if #result > 1 then write('RPUSH', keys[unit[U_HISTORY]], unpack(result, 2)) end
  for _, op in ipairs(unit[U_OPS]) do perform(op, keys) end
  local command = keys[unit[U_COMMAND]]
  if command then write('SET', command, cmsgpack.pack(result), 'PX', unit[U_TTL]) end
  return result
end

-- Runs `body` that writes; an error marks the partition torn and halted. Returns nil or {'TORN', why}.
local function guarded(state_key, mark, body)
  local done, problem = pcall(body)
  if done then return nil end
  local why = type(problem) == 'table' and problem.torn or tostring(problem)
  if mark then redis.pcall('HSET', mark, 'torn', why) end
  redis.pcall('HSET', state_key, 'halted', 'TORN: ' .. why)
  return {'TORN', why}
end
