-- cs_settle_1: one batch of one group is done: position still as expected -> effects, position, acknowledgement.
-- The position is the fence. Runs under OOM too (allow-oom): a full store drains, it does not deadlock.
--   KEYS[1] log  [2] state  [3] position record  [4] parked stream  [5] held entities  [6] retry list  [7..] effects
--   ARGV[1] group  [2] expected position  [3] token of this settle  [4] token of the settle before it, as far as known
--   ARGV[5] msgpack {ids, first eventId, ops, logs, units, held, released}
--           logs[1] is the log itself; held = entities that must be held now; released = {parked id, entity} pairs
-- A settle without entries moves no position, so its fence is the token as well: any settle in between is noticed.
-- Answers: {OK, position, settled, retries} | {FENCED, position, token} | {GAP, position, why} |
--   {CONFLICT, head key, version} | {INVALID, why} | {LOST, why} | {TORN, why} | {HALTED, why}
-- The order of the checks is fixed; nothing is written before all have passed but the acknowledgement of
-- the batch itself, which resync undoes by setting the cursor back.

-- Is the entry at the position still there, and is the batch what comes right behind it?
local function look_behind(log_key, position, first_id, first_event)
  local behind
  if position == '0-0' then
    local info = redis.call('XINFO', 'STREAM', log_key)
    local facts = {}
    for i = 1, #info, 2 do facts[info[i]] = info[i + 1] end
    if facts['entries-added'] ~= facts['length'] then
      return {'LOST', 'entries were removed before this group had seen any'}
    end
    if not first_id then return nil end
    behind = redis.call('XRANGE', log_key, '-', '+', 'COUNT', 1)[1]
  else
    local two = redis.call('XRANGE', log_key, position, '+', 'COUNT', 2)
    if not two[1] or two[1][1] ~= position then
      return {'LOST', 'the entry at the position ' .. position .. ' is gone'}
    end
    behind = two[2]
  end
  if not first_id then return nil end
  if not behind or behind[1] ~= first_id then
    return {'GAP', position, 'next is ' .. (behind and behind[1] or 'nothing') .. ', not ' .. first_id}
  end
  local fields = behind[2]
  local event_id = ''
  for i = 1, #fields, 2 do
    if fields[i] == 'eventId' then event_id = fields[i + 1] break end
  end
  if event_id ~= first_event then return {'GAP', position, 'another entry stands at ' .. first_id} end
  return nil
end

local function less(digits, more)
  return #digits < #more or (#digits == #more and digits < more)
end

-- Do the ids rise? Two reads that were joined would else set the position back. Ids are compared as texts, because
-- Lua's numbers are doubles; nearly always both are of one shape, and one comparison is enough.
local function rising(ids)
  local dash = string.find(ids[1], '-', 1, true)
  for i = 2, #ids do
    local before, id = ids[i - 1], ids[i]
    if #before ~= #id or string.byte(before, dash) ~= 45 or string.byte(id, dash) ~= 45 or before >= id then
      local before_ms, before_number = string.match(before, '^(%d+)%-(%d+)$')
      local ms, number = string.match(id, '^(%d+)%-(%d+)$')
      if not (before_ms and ms) then return false end
      if not (less(before_ms, ms) or (before_ms == ms and less(before_number, number))) then return false end
    end
  end
  return true
end

-- Acknowledges the batch; the count and what stays pending below its end show a hole inside it.
local function acknowledge(log_key, group, position, ids)
  if not rising(ids) then return {'GAP', position, 'the batch is not in the order of the log'} end
  local acknowledged = 0
  for from = 1, #ids, ACK_SLICE do
    local upto = math.min(from + ACK_SLICE - 1, #ids)
    local reply = redis.pcall('XACK', log_key, group, unpack(ids, from, upto))
    if type(reply) == 'table' then error(reply.err) end -- rights or type: reading again would not help
    acknowledged = acknowledged + reply
  end
  if acknowledged ~= #ids then return {'GAP', position, 'not all of the batch was pending'} end
  local left = redis.pcall('XPENDING', log_key, group, '-', ids[#ids], 1)
  if left.err then
    if not string.find(left.err, 'NOGROUP') then error(left.err) end
    return {'GAP', position, left.err}
  end
  if #left > 0 then return {'GAP', position, 'the batch skips ' .. left[1][1]} end
  return nil
end

local function check_guards(call, keys)
  local versions, seen = {}, {}
  reserve(seen, keys[3])
  for _, log in ipairs(call[4]) do
    reserve(seen, keys[log[1]])
    reserve(seen, keys[log[2]])
  end
  for _, unit in ipairs(call[5]) do reserve_unit(unit, keys, seen) end
  for n = 2, #call[4] do
    local log = call[4][n]
    local refusal = refuse_log(keys[log[1]], keys[log[2]], log[3])
    if refusal then return refusal end
  end
  for _, entity in ipairs(call[6]) do
    if redis.call('HEXISTS', keys[5], entity) == 0 then return {'CONFLICT', 'held ' .. entity, '0'} end
  end
  for _, pair in ipairs(call[7]) do
    if #redis.call('XRANGE', keys[4], pair[1], pair[1]) == 0 then return {'CONFLICT', 'parked ' .. pair[1], '0'} end
  end
  require_right('HDEL', keys[3])
  if #call[7] > 0 then
    require_right('XDEL', keys[4])
    require_right('HINCRBY', keys[5])
    require_right('HDEL', keys[5])
  end
  local fresh = {}
  for _, unit in ipairs(call[5]) do
    local refusal = refuse_unit(unit, keys[call[4][unit[U_LOG]][1]], keys, versions, seen)
    if refusal == nil then
      fresh[#fresh + 1] = unit
    elseif refusal[1] ~= 'REPEATED' then
      return refusal
    end
  end
  local wrong = first_unfit(call[3], keys, seen)
  if wrong then return {'INVALID', wrong} end
  return nil, fresh
end

local function release(keys, released)
  for _, pair in ipairs(released) do
    write('XDEL', keys[4], pair[1])
    if write('HINCRBY', keys[5], pair[2], -1) <= 0 then write('HDEL', keys[5], pair[2]) end
  end
end

local function move_position(record_key, ids, token, settled, marks)
  if #ids == 0 then
    write('HSET', record_key, 'token', token)
  else
    write('HSET', record_key, 'id', ids[#ids], 'settled', settled, 'token', token)
    if marks then write('HDEL', record_key, 'deaths', 'alone', 'kills', 'together', 'marked') end
  end
end

local function settle(keys, args)
  local group, expected, token = args[1], args[2], args[3]
  local call = cmsgpack.unpack(args[5])
  local ids = call[1]
  local log_key, state_key, record_key = keys[1], keys[2], keys[3]
  local refusal = refuse_log(log_key, state_key, call[4][1][3])
  if refusal then return refusal end
  local record = redis.call('HMGET', record_key, 'id', 'settled', 'token', 'torn', 'deaths', 'alone')
  if record[4] then return {'HALTED', 'TORN: ' .. record[4]} end
  if not record[1] then
    halt(state_key, 'LOST: the position record of ' .. group .. ' is missing')
    return {'LOST', 'the position record of ' .. group .. ' is missing'}
  end
  -- Our own token: the reply was lost, not the call. It is written again, so that WAIT behind it asks for this settle.
  if record[3] == token then redis.call('HSET', record_key, 'token', token) end
  if record[1] ~= expected then return {'FENCED', record[1], record[3] or ''} end
  if #ids == 0 then
    if record[3] == token then -- the reply was lost, not the call
      return {'OK', expected, record[2], tostring(redis.call('LLEN', keys[6]))}
    end
    if record[3] ~= args[4] then return {'FENCED', record[1], record[3] or ''} end
  end
  refusal = look_behind(log_key, expected, ids[1], call[2])
  if refusal then
    if refusal[1] == 'LOST' then halt(state_key, 'LOST: ' .. group .. ': ' .. refusal[2]) end
    return refusal
  end
  local fresh
  refusal, fresh = check_guards(call, keys)
  if refusal then return refusal end
  if #ids > 0 then
    refusal = acknowledge(log_key, group, expected, ids)
    if refusal then return refusal end
  end
  local settled = tostring(tonumber(record[2]) + #ids)
  refusal = guarded(state_key, record_key, function()
    for _, unit in ipairs(fresh) do write_unit(unit, call[4], keys) end
    perform_all(call[3], keys)
    release(keys, call[7])
    move_position(record_key, ids, token, settled, record[5] or record[6])
  end)
  if refusal then return refusal end
  return {'OK', ids[#ids] or expected, settled, tostring(redis.call('LLEN', keys[6]))}
end

redis.register_function{function_name = 'cs_settle_1', callback = settle, flags = {'allow-oom'}}
