-- Checks effects before anything is written: their shape, and what each will meet in the store once the effects before it
-- have been done.

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
