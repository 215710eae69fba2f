-- Retention: what may be removed from a log, and groups that nobody serves any more and that would hold it for ever.
-- All of it runs under OOM too: trimming is what frees memory.

-- Is id `one` below id `other`? Ids are texts: Lua's numbers are doubles.
local function below(one, other)
  local one_ms, one_number = string.match(one, '^(%d+)%-(%d+)$')
  local other_ms, other_number = string.match(other, '^(%d+)%-(%d+)$')
  return less(one_ms, other_ms) or (one_ms == other_ms and less(one_number, other_number))
end

-- cs_trim_1: removes entries below an id, never beyond the position of any group, and keeps the entry at each position.
--   KEYS[1] log  [2] state  [3] operations  [4..] position records
--   ARGV[1] incarnation  [2] wanted id  [3] entries at most in this slice; '0' only looks
--   ARGV[4] group without which nothing is removed, or ''  [5] who  [6] reason, or '' in all slices but the first
--   ARGV[7..] groups, as their position records
-- Answers {OK, id that it is limited to, slowest group, its position, removed, '1' when nothing is left to remove}
--   | {CHANGED, group} | {UNARCHIVED} | {LOST, why} | {HALTED, why}
local function trim(keys, args)
  local log_key, state_key = keys[1], keys[2]
  local refusal = refuse_log(log_key, state_key, args[1])
  if refusal then return refusal end
  local positions = {}
  for n = 7, #args do positions[args[n]] = redis.call('HGET', keys[n - 3], 'id') end
  local floor, slowest, archived = nil, '', false
  for _, field in ipairs(redis.call('HKEYS', state_key)) do
    local group = string.match(field, '^group:(.*)$')
    if group then
      if positions[group] == nil then return {'CHANGED', group} end
      if not positions[group] then return {'LOST', 'the position record of ' .. group .. ' is missing'} end
      if group == args[4] then archived = true end
      if floor == nil or below(positions[group], floor) then floor, slowest = positions[group], group end
    end
  end
  if args[4] ~= '' and not archived then return {'UNARCHIVED'} end
  local upto = args[2]
  if floor and below(floor, upto) then upto = floor end
  if args[3] == '0' then return {'OK', upto, slowest, floor or '', '0', '0'} end
  require_right('XTRIM', log_key)
  require_right('XADD', keys[3])
  if args[6] ~= '' then record_operation(keys, 3, args[5], 'trim', log_key .. ' below ' .. upto, args[6]) end
  local removed = redis.call('XTRIM', log_key, 'MINID', '~', upto, 'LIMIT', args[3])
  local done = '0'
  if removed == 0 then -- less than one node of the stream is left
    removed = redis.call('XTRIM', log_key, 'MINID', '=', upto)
    done = '1'
  end
  return {'OK', upto, slowest, floor or '', tostring(removed), done}
end

redis.register_function{function_name = 'cs_trim_1', callback = trim, flags = {'allow-oom'}}

-- cs_retire_1: ends a group for good, in one partition. Refused while somebody serves it or entries of it are parked.
--   KEYS[1] log  [2] state  [3] position record  [4] parked stream  [5] held entities  [6] retry list
--   KEYS[7] operations  [8] lease      ARGV[1] group  [2] who  [3] reason
-- Answers {OK, position} | {UNKNOWN} | {SERVED, process} | {PARKED, number}
local function retire(keys, args)
  local field = 'group:' .. args[1]
  if redis.call('HEXISTS', keys[2], field) == 0 then return {'UNKNOWN'} end
  local owner = redis.call('GET', keys[8])
  if owner then return {'SERVED', owner} end
  local parked = redis.call('XLEN', keys[4])
  if parked > 0 then return {'PARKED', tostring(parked)} end
  for _, at in ipairs({3, 4, 5, 6}) do require_right('DEL', keys[at]) end
  require_right('HSET', keys[2])
  require_right('HDEL', keys[2])
  require_right('XADD', keys[7])
  local position = redis.call('HGET', keys[3], 'id') or ''
  record_operation(keys, 7, args[2], 'retire', args[1] .. ' at ' .. position, args[3])
  redis.call('HSET', keys[2], 'retired:' .. args[1], position)
  redis.call('HDEL', keys[2], field)
  redis.call('DEL', keys[3], keys[4], keys[5], keys[6])
  if redis.call('TYPE', keys[1]).ok == 'stream' then redis.pcall('XGROUP', 'DESTROY', keys[1], args[1]) end
  return {'OK', position}
end

redis.register_function{function_name = 'cs_retire_1', callback = retire, flags = {'allow-oom'}}
