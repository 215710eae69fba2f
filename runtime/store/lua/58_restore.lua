-- Puts a backup back into a store that has no such log. Until the end the log has no incarnation and is halted: no
-- process opens it, nothing can be appended or settled.

-- cs_restore_1: one part of one partition of a log.
--   KEYS[1] log  [2] state  [3..] what the part touches    ARGV[1] token of this restore
--   ARGV[2] msgpack {entries, ops}: entries = {{key, id, field, value ...} ...}, with the ids that they had
-- Answers {OK, entries} | {REFUSED, why} | {INVALID, why} | {TORN, why}
-- Not to be repeated when its answer is lost: the store is emptied and the restore begun again.
local function restore(keys, args)
  local log_key, state_key = keys[1], keys[2]
  local state = redis.call('HMGET', state_key, 'incarnation', 'restoring')
  if state[1] then return {'REFUSED', 'the log ' .. log_key .. ' is there already'} end
  if state[2] and state[2] ~= args[1] then return {'REFUSED', 'another restore of ' .. log_key .. ' has begun'} end
  if not state[2] and redis.call('EXISTS', log_key) == 1 then
    return {'REFUSED', 'the stream ' .. log_key .. ' is there already'}
  end
  local call, seen = cmsgpack.unpack(args[2]), {}
  reserve(seen, state_key)
  local wrong = first_unfit(call[2], keys, seen)
  if wrong then return {'INVALID', wrong} end
  for _, entry in ipairs(call[1]) do
    local kind = redis.call('TYPE', keys[entry[1]]).ok
    if kind ~= 'none' and kind ~= 'stream' then return {'INVALID', keys[entry[1]] .. ' is a ' .. kind} end
    require_right('XADD', keys[entry[1]])
  end
  require_right('HSET', state_key)
  redis.call('HSET', state_key, 'restoring', args[1])
  local refusal = guarded(state_key, nil, function()
    for _, entry in ipairs(call[1]) do write('XADD', keys[entry[1]], entry[2], unpack(entry, 3)) end
    perform_all(call[2], keys)
  end)
  if refusal then return refusal end
  return {'OK', tostring(#call[1])}
end

redis.register_function{function_name = 'cs_restore_1', callback = restore}

-- cs_restored_1: all parts are there: the groups are made at their positions, and the log may be opened.
--   KEYS[1] log  [2] state  [3] operations  [4..] position record per group
--   ARGV[1] token of this restore  [2] incarnation  [3] partitions  [4] who  [5] note
--   ARGV[6..] per group: name, position, number of entries up to it
-- Answers {OK, number of groups} | {REFUSED, why} | {LOST, why} | {TORN, why}
local function restored(keys, args)
  local log_key, state_key = keys[1], keys[2]
  local state = redis.call('HMGET', state_key, 'incarnation', 'restoring', 'halted')
  if state[1] then return {'REFUSED', 'the log ' .. log_key .. ' is there already'} end
  if state[2] ~= args[1] then return {'REFUSED', 'no such restore of ' .. log_key} end
  if state[3] then return {'REFUSED', state[3]} end
  for n = 6, #args, 3 do
    if args[n + 1] ~= '0-0' and #redis.call('XRANGE', log_key, args[n + 1], args[n + 1]) == 0 then
      return {'LOST', 'the position ' .. args[n + 1] .. ' of ' .. args[n] .. ' is no entry of the backup'}
    end
  end
  for n = 3, #keys do require_right(n == 3 and 'XADD' or 'HSET', keys[n]) end
  if not redis.acl_check_cmd('XGROUP', 'CREATE', log_key, 'x') then error('this user may not make groups') end
  local refusal = guarded(state_key, nil, function()
    if redis.call('EXISTS', log_key) == 0 then
      write('XGROUP', 'CREATE', log_key, 'making', '0', 'MKSTREAM')
      write('XGROUP', 'DESTROY', log_key, 'making')
    end
    for n = 6, #args, 3 do
      local record = keys[4 + (n - 6) / 3]
      write('XGROUP', 'CREATE', log_key, args[n], args[n + 1], 'ENTRIESREAD', args[n + 2])
      write('HSET', record, 'id', args[n + 1], 'settled', args[n + 2], 'token', '')
      write('HSET', state_key, 'group:' .. args[n], '1')
    end
    record_operation(keys, 3, args[4], 'restore', log_key, args[5])
    write('HSET', state_key, 'incarnation', args[2], 'partitions', args[3])
    write('HDEL', state_key, 'restoring')
  end)
  if refusal then return refusal end
  return {'OK', tostring((#args - 5) / 3)}
end

redis.register_function{function_name = 'cs_restored_1', callback = restored}
