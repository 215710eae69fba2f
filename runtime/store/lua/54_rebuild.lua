-- Rebuilds a projection beside the live one, under names and a position of its own, and swaps it in one step.
-- A live position is never set back: the swap happens at the place where both stand.

local STAGED = 'rebuild:'

-- cs_stage_1: one batch of a rebuild: staged position still as expected -> effects, position.
--   KEYS[1] stage record  [2..] effects, all of names that begin with 'rebuild:'
--   ARGV[1] expected position ('' begins)  [2] new position  [3] entries in all  [4] milliseconds to live  [5] msgpack ops
-- Answers {OK, position} | {FENCED, position} | {INVALID, why} | {TORN, why}
local function stage(keys, args)
  local record = redis.call('HMGET', keys[1], 'id', 'torn')
  if record[2] then return {'TORN', record[2]} end
  if (record[1] or '') ~= args[1] then return {'FENCED', record[1] or ''} end
  for _, key in ipairs(keys) do
    if string.sub(key, 1, #STAGED) ~= STAGED then return {'INVALID', key .. ' is no name of a rebuild'} end
  end
  require_right('HSET', keys[1])
  require_right('PEXPIRE', keys[1])
  local seen = {}
  reserve(seen, keys[1])
  local ops = cmsgpack.unpack(args[5])
  local wrong = first_unfit(ops, keys, seen)
  if wrong then return {'INVALID', wrong} end
  local done, problem = pcall(function()
    perform_all(ops, keys)
    write('HSET', keys[1], 'id', args[2], 'count', args[3])
    write('PEXPIRE', keys[1], args[4])
  end)
  if done then return {'OK', args[2]} end
  local why = type(problem) == 'table' and problem.torn or tostring(problem)
  redis.pcall('HSET', keys[1], 'torn', why)
  return {'TORN', why}
end

redis.register_function{function_name = 'cs_stage_1', callback = stage}

-- cs_drop_stage_1: takes the keys of a rebuild away.  KEYS all begin with 'rebuild:'
local function drop_stage(keys)
  for _, key in ipairs(keys) do
    if string.sub(key, 1, #STAGED) ~= STAGED then return {'INVALID', key .. ' is no name of a rebuild'} end
  end
  for _, key in ipairs(keys) do redis.call('DEL', key) end
  return {'OK'}
end

redis.register_function{function_name = 'cs_drop_stage_1', callback = drop_stage, flags = {'allow-oom'}}

-- cs_swap_1: the staged keys take the place of the live ones, at the position where both stand.
--   KEYS[1] log  [2] state  [3] position record  [4] stage record  [5] operations  [6] lease
--   KEYS[7..] n pairs of staged and live, then live keys that the rebuild never had; a staged key that is not there any
--   more takes its live one away
--   ARGV[1] group  [2] incarnation  [3] who  [4] reason  [5] position  [6] token of the live record, '' when there is none
--   ARGV[7] n  [8] entries settled, for a group that begins here
-- Answers {OK, position} | {FENCED, position, token} | {LOST, why} | {HALTED, why} | {TORN, why}
local function swap(keys, args)
  local log_key, state_key, record_key = keys[1], keys[2], keys[3]
  local refusal = refuse_log(log_key, state_key, args[2])
  if refusal then return refusal end
  local record = redis.call('HMGET', record_key, 'id', 'token', 'torn')
  if record[3] then return {'HALTED', 'TORN: ' .. record[3]} end
  if record[1] and (record[1] ~= args[5] or (record[2] or '') ~= args[6]) then
    return {'FENCED', record[1], record[2] or ''}
  end
  if redis.call('HGET', keys[4], 'id') ~= args[5] then return {'LOST', 'the rebuild stands elsewhere'} end
  if not record[1] then
    if redis.call('HEXISTS', state_key, 'group:' .. args[1]) == 1 then
      return {'LOST', 'the position record of ' .. args[1] .. ' is missing'}
    end
    local gone = look_behind(log_key, args[5], nil, nil)
    if gone then return gone end
  end
  local pairs_end = 6 + 2 * tonumber(args[7])
  for n = 7, pairs_end, 2 do
    if not redis.acl_check_cmd('RENAME', keys[n], keys[n + 1]) then
      error('this user may not RENAME ' .. keys[n] .. '; nothing was written')
    end
    require_right('DEL', keys[n])
    require_right('DEL', keys[n + 1])
  end
  for n = pairs_end + 1, #keys do require_right('DEL', keys[n]) end
  require_right('XADD', keys[5])
  refusal = guarded(state_key, nil, function()
    for n = 7, pairs_end, 2 do
      if redis.call('EXISTS', keys[n]) == 1 then
        write('RENAME', keys[n], keys[n + 1])
      else
        write('DEL', keys[n], keys[n + 1])
      end
    end
    for n = pairs_end + 1, #keys do write('DEL', keys[n]) end
    if not record[1] then
      write('XGROUP', 'CREATE', log_key, args[1], args[5], 'ENTRIESREAD', args[8])
      write('HSET', record_key, 'id', args[5], 'settled', args[8], 'token', '')
      write('HSET', state_key, 'group:' .. args[1], '1')
      write('HDEL', state_key, 'retired:' .. args[1])
    end
    write('DEL', keys[4])
    write('XADD', keys[5], '*', 'who', args[3], 'what', 'swap', 'subject', args[1] .. ' at ' .. args[5], 'reason', args[4])
  end)
  if refusal then return refusal end
  return {'OK', args[5]}
end

redis.register_function{function_name = 'cs_swap_1', callback = swap, flags = {'allow-oom'}}
