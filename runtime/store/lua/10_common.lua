-- Shared by every function of the library. Nothing here runs while the library loads but assignments and
-- definitions: `ipairs` and `pairs` are not there yet at that time (Redis 7.0, Valkey 9).
--
-- Redis rolls nothing back when a function fails half way. So: everything is checked before the first write,
-- writes go by redis.pcall, and an error after the first write marks the partition torn and halted until an operator
-- has looked at it.

local ACK_SLICE = 1000            -- unpack() stops at 7,999 values
local MAX_DIGITS = 15             -- integers stay exact in Lua's doubles, and far from the overflow of HINCRBY (2^63)
local MAX_INTEGER = 999999999999999
local MAX_EVENTS = 1000           -- events of one unit of append: their ids go into the history by one unpack()
local MAX_ARGUMENTS = 7000        -- values of one event or one snapshot
local MOST_DELETED = 1000         -- keys that one DEL takes away

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

-- The command that performs each verb.
local VERB_COMMAND = {
  hset = 'HSET', hdel = 'HDEL', hincr = 'HINCRBY',
  sadd = 'SADD', srem = 'SREM',
  zadd = 'ZADD', zincr = 'ZINCRBY', zrem = 'ZREM',
  rpush = 'RPUSH', lrem = 'LREM',
  set = 'SET', raise = 'SET',
  del = 'DEL', expire = 'PEXPIRE',
  xadd = 'XADD', publish = 'PUBLISH',
}

-- Inner commands run with the rights of the caller, and a refusal rolls nothing back: so who may not do all of it
-- may not begin. An error, not an answer: it is a fault of the deployment, never of the entries.
local function require_right(command, key)
  if not redis.acl_check_cmd(command, key) then
    error('this user may not ' .. command .. ' ' .. key .. '; nothing was written')
  end
end

-- Integers as the store itself reads them: no leading zero, no plus, no '-0' (HINCRBY refuses those).
local function is_count(text)
  return type(text) == 'string' and #text <= MAX_DIGITS and
    (text == '0' or string.find(text, '^[1-9]%d*$') ~= nil)
end

local function is_integer(text)
  if type(text) ~= 'string' then return false end
  return is_count(text) or (string.sub(text, 1, 2) ~= '-0' and string.sub(text, 1, 1) == '-' and
    is_count(string.sub(text, 2)))
end

local function is_number(text)
  return type(text) == 'string' and #text <= 24 and
    (string.find(text, '^%-?%d+$') ~= nil or string.find(text, '^%-?%d+%.%d+$') ~= nil)
end

local function all_texts(op, from)
  for i = from, #op do
    if type(op[i]) ~= 'string' then return false end
  end
  return true
end

-- The same for a list of nothing but arguments, in one call: it refuses tables, booleans and nil. A number passes; the
-- store would write its digits.
local function all_joinable(list)
  return (pcall(table.concat, list))
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
  local kind = redis.call('TYPE', log_key).ok
  if kind ~= 'stream' then
    local why = kind == 'none' and 'the stream is gone' or 'the stream is gone, a ' .. kind .. ' stands in its place'
    halt(state_key, 'LOST: ' .. why)
    return {'LOST', why}
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
    if verb == 'xadd' and not is_count(op[3]) then return 'xadd: the length limit is no count' end
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
    if count ~= 2 or not is_count(op[4]) then return verb .. ': needs a value and milliseconds' end
    if verb == 'raise' and not is_integer(op[3]) then return 'raise: not an integer: ' .. op[3] end
  elseif verb == 'expire' then
    if count ~= 1 or not is_count(op[3]) or op[3] == '0' then return 'expire: needs milliseconds above 0' end
  elseif verb == 'del' then
    if count ~= 0 then return 'del: takes no argument' end
  elseif verb == 'publish' then
    if count ~= 2 then return 'publish: needs a channel and a message' end
  elseif count < 1 then
    return verb .. ': needs an argument'
  end
  return nil
end

-- What a key is and holds when an effect comes to it: what the store has, and what earlier effects of the call make of it.
-- `made`: nothing that the store has in it counts any more; `fields`, `text`: what was written to it by this call.
local function look_at(seen, key)
  local now = seen[key]
  if now == nil or now.kind == nil then
    local kind = redis.call('TYPE', key).ok
    now = {kind = kind, made = kind == 'none', reserved = now and now.reserved}
    seen[key] = now
  end
  return now
end

-- The fields of a hash that this call has written so far. A snapshot is remembered as the list that it came in and
-- taken apart only when an effect touches the same key, which is rare.
local function written_fields(now)
  local fields, list = now.fields, now.list
  if fields == nil then
    fields = {}
    now.fields = fields
  end
  if list then
    now.list = nil
    for i = 1, #list, 2 do fields[list[i]] = list[i + 1] end
  end
  return fields
end

local RESERVED = {reserved = true} -- never changed: `look_at` puts another table in its place

-- Says that a key is written by the engine alone: no effect may touch it.
local function reserve(seen, key)
  seen[key] = RESERVED
end

local function other_type(verb, key, now)
  return verb .. ' on ' .. key .. ': it is a ' .. now.kind .. ', not a ' .. VERB_TYPE[verb]
end

-- Reads what an effect of `verb` will change in `key`: a value of another type is an error of the reading command, so
-- TYPE need not be asked. Returns the reply, or nil and what is wrong.
local function read_for(verb, seen, key, ...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if string.sub(reply.err, 1, 9) ~= 'WRONGTYPE' then error(reply.err) end
    seen[key] = nil
    return nil, other_type(verb, key, look_at(seen, key))
  end
  return reply
end

local function new_sum(key, name, value, more)
  if type(value) == 'string' then
    if not is_integer(value) then
      return nil, 'hincr on ' .. key .. ': field ' .. name .. ' holds no integer of at most 15 digits'
    end
    value = tonumber(value)
  end
  local sum = (value or 0) + tonumber(more)
  if sum > MAX_INTEGER or sum < -MAX_INTEGER then
    return nil, 'hincr on ' .. key .. ': field ' .. name .. ' would outgrow 15 digits'
  end
  return sum
end

-- Counts up what the store has and what this call has made of it. Returns nil, or what is wrong. Sums stay numbers in
-- `fields`: they are exact up to 15 digits, and only `hset` and the store hold texts.
-- The sums are what the fields will hold, so the effect becomes the `hset` of them: one command, not one per field. A
-- user who has only the right to count keeps counting.
local function unfit_increment(op, seen, key, now)
  local stored = {}
  if not now.made then
    local names = {}
    for i = 3, #op, 2 do names[(i - 1) / 2] = op[i] end
    local wrong
    stored, wrong = read_for('hincr', seen, key, 'HMGET', key, unpack(names))
    if wrong then return wrong end
  end
  local fields = written_fields(now)
  local settable = redis.acl_check_cmd('HSET', key)
  for i = 3, #op, 2 do
    local name = op[i]
    local value = fields[name]
    if value == nil then value = stored[(i - 1) / 2] end
    local sum, wrong = new_sum(key, name, value, op[i + 1])
    if wrong then return wrong end
    fields[name] = sum
    if settable then op[i + 1] = string.format('%.0f', sum) end
  end
  if settable then op[1] = 'hset' end
  return nil
end

-- The effect becomes the `set` of the higher one.
local function unfit_raise(op, seen, key, now)
  local value = now.text
  if value == nil and not now.made then
    local wrong
    value, wrong = read_for('raise', seen, key, 'GET', key)
    if wrong then return wrong end
  end
  if value and not is_integer(value) then return 'raise on ' .. key .. ': it holds no integer' end
  if value and tonumber(value) > tonumber(op[3]) then op[3] = value end
  op[1] = 'set'
  now.text = op[3]
  return nil
end

-- Remembers what an effect writes, for later ones on the same key. Returns nil, or what is wrong.
local function unfit_beside(verb, op, seen, key, now)
  if verb == 'hincr' then return unfit_increment(op, seen, key, now) end
  if verb == 'raise' then return unfit_raise(op, seen, key, now) end
  if verb == 'hset' then
    local fields = written_fields(now)
    for i = 3, #op, 2 do fields[op[i]] = op[i + 1] end
  elseif verb == 'hdel' then
    local fields = written_fields(now)
    for i = 3, #op do fields[op[i]] = false end
  elseif verb == 'set' then
    now.text = op[3]
  end
  return nil
end

-- Checks effects against the store: declared key, type, and that what is counted up is an integer by then.
-- `seen` simulates what earlier effects of the same call make of a key. Returns nil, or what is wrong.
local function unfit(op, keys, seen)
  local wrong = misformed(op)
  if wrong then return wrong end
  local verb = op[1]
  if verb == 'publish' then
    require_right('PUBLISH', op[3])
    return nil
  end
  local key = keys[op[2]]
  if key == nil then return verb .. ': its key is not declared' end
  local now = seen[key]
  if now and now.reserved then return verb .. ' on ' .. key .. ': that key is written by append and settle alone' end
  if verb == 'del' then -- whatever it was, so the store need not be asked
    require_right('DEL', key)
    seen[key] = {kind = 'none', made = true}
    return nil
  end
  local wanted = VERB_TYPE[verb]
  if now == nil and (verb == 'hincr' or verb == 'raise') then
    now = {kind = wanted} -- as reading it will show
    seen[key] = now
  else
    now = look_at(seen, key)
  end
  local command = VERB_COMMAND[verb]
  if now.may ~= command then
    require_right(command, key)
    now.may = command
  end
  if wanted ~= 'any' and now.kind ~= 'none' and now.kind ~= wanted then return other_type(verb, key, now) end
  wrong = unfit_beside(verb, op, seen, key, now)
  if wrong then return wrong end
  if wanted ~= 'any' then now.kind = wanted end
  return nil
end

-- The first that is wrong with a list of effects, or nil.
local function first_unfit(ops, keys, seen)
  for _, op in ipairs(ops) do
    local wrong = unfit(op, keys, seen)
    if wrong then return wrong end
  end
  return nil
end

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

-- One unit of append, as it travels: positions in a plain array, so that it decodes fast.
local U_LOG, U_HEAD, U_SNAPSHOT, U_HISTORY, U_COMMAND = 1, 2, 3, 4, 5
local U_EXPECTED, U_TTL, U_EVENTS, U_FIELDS, U_OPS = 6, 7, 8, 9, 10

-- Keys of a unit that no effect of the same call may touch.
local function reserve_unit(unit, keys, seen)
  reserve(seen, keys[unit[U_HEAD]])
  reserve(seen, keys[unit[U_HISTORY]])
  if keys[unit[U_COMMAND]] then reserve(seen, keys[unit[U_COMMAND]]) end
end

-- Shape of the events and the snapshot of a unit. Returns nil, or what is wrong.
local function misformed_unit(unit)
  if #unit[U_EVENTS] > MAX_EVENTS then return 'more than ' .. MAX_EVENTS .. ' events in one append' end
  for _, event in ipairs(unit[U_EVENTS]) do
    if #event < 2 or #event % 2 ~= 0 or not all_joinable(event) then return 'an event is not made of pairs of text' end
    if #event > MAX_ARGUMENTS then return 'an event has too many fields' end
  end
  local fields = unit[U_FIELDS]
  if #fields % 2 ~= 0 or not all_joinable(fields) then return 'the snapshot is not made of pairs of text' end
  if #fields > MAX_ARGUMENTS then return 'the snapshot has too many fields' end
  if not is_count(unit[U_TTL]) or unit[U_TTL] == '0' then return 'a command id needs milliseconds above 0 to live' end
  return nil
end

-- Is there nothing yet of an entity that has just come into being? One question instead of five. A user who may not ask
-- it of all four at once (rules that name them one by one) is taken the long way.
local function all_new(head, snapshot, history, command)
  local names = command and {head, snapshot, history, command} or {head, snapshot, history}
  return redis.acl_check_cmd('EXISTS', unpack(names)) and redis.call('EXISTS', unpack(names)) == 0
end

-- The version that a head holds, from the store or from earlier units of the call. Returns it, or nil and what is wrong.
local function version_of(head, versions, seen)
  local version = versions[head]
  if version then return version end
  local stored = redis.pcall('GET', head)
  if type(stored) == 'table' then -- another type, or no right to ask
    local kind = look_at(seen, head).kind
    if kind == 'string' then error(stored.err) end
    return nil, head .. ' is a ' .. kind .. ', not a string'
  end
  if not stored then return 0 end
  if not is_count(stored) then return nil, head .. ' holds no version' end
  return tonumber(stored)
end

-- Checks one unit. Returns nil when it may be written, {'REPEATED', ...} with the first answer, or a refusal.
-- `versions` simulates what earlier units of the same call make of a head, and which command ids they take.
local function refuse_unit(unit, log_key, keys, versions, seen)
  local command = keys[unit[U_COMMAND]]
  local head, snapshot, history = keys[unit[U_HEAD]], keys[unit[U_SNAPSHOT]], keys[unit[U_HISTORY]]
  local version, wrong = 0, nil
  if unit[U_EXPECTED] == 0 and versions[head] == nil and seen[snapshot] == nil and
    not (command and versions[command]) and all_new(head, snapshot, history, command) then
    seen[snapshot] = {kind = 'none', made = true}
  else
    if command then
      if versions[command] then return {'REPEATED'} end
      local first = redis.call('GET', command)
      if first then return {'REPEATED', cmsgpack.unpack(first)} end
    end
    version, wrong = version_of(head, versions, seen)
    if wrong then return {'INVALID', wrong} end
    for key, wanted in pairs({[snapshot] = 'hash', [history] = 'list'}) do
      local kind = look_at(seen, key).kind
      if kind ~= 'none' and kind ~= wanted then return {'INVALID', key .. ' is a ' .. kind .. ', not a ' .. wanted} end
    end
  end
  if version ~= unit[U_EXPECTED] then return {'CONFLICT', head, tostring(version)} end
  wrong = misformed_unit(unit)
  if wrong then return {'INVALID', wrong} end
  if #unit[U_FIELDS] > 0 then
    local now = look_at(seen, snapshot)
    now.kind = 'hash'
    if now.list then written_fields(now) end
    now.list = unit[U_FIELDS]
  end
  wrong = first_unfit(unit[U_OPS], keys, seen)
  if wrong then return {'INVALID', wrong} end
  require_right('SET', head)
  if #unit[U_EVENTS] > 0 then
    require_right('XADD', log_key)
    require_right('RPUSH', history)
  end
  if #unit[U_FIELDS] > 0 then require_right('HSET', snapshot) end
  if command then require_right('SET', command) end
  versions[head] = version + #unit[U_EVENTS]
  if command then versions[command] = true end
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
  perform_all(unit[U_OPS], keys)
  local command = keys[unit[U_COMMAND]]
  if command then write('SET', command, cmsgpack.pack(result), 'PX', unit[U_TTL]) end
  return result
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
