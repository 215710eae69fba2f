-- cs_append_1: appends independent units, each in one atomic step: unseen command id, expected version ->
-- events + snapshot + history + result. Registered without flags: the server refuses it under OOM.
--   ARGV[1]  msgpack {logs, units}; logs = {{log key, state key, incarnation}, ...} as indexes into KEYS
-- Answers an array with one answer per unit:
--   {OK, version, id ...} | {REPEATED, version, id ...} | {CONFLICT, head key, version}
--   | {INVALID, why} | {LOST, why} | {HALTED, why} | {TORN, why}
-- A repetition lengthens the life of its command id, which is a write: WAIT counts from the last write of its own
-- connection, so behind a call that only read it would answer for nothing, and an append would count as received by a
-- replica that never had it.

local function append(keys, args)
  local call = cmsgpack.unpack(args[1])
  local logs, units = call[1], call[2]
  local answers = {}
  local open = {} -- logs that were looked at: within one call nothing but a torn unit closes one
  for i, unit in ipairs(units) do
    local log = logs[unit[U_LOG]]
    local state_key = keys[log[2]]
    local seen = {}
    reserve(seen, keys[log[1]])
    reserve(seen, state_key)
    reserve_unit(unit, keys, seen)
    local refusal = nil
    if not open[log] then refusal = refuse_log(keys[log[1]], state_key, log[3]) end
    if refusal == nil then
      open[log] = true
      refusal = refuse_unit(unit, keys[log[1]], keys, {}, seen)
    end
    if refusal == nil then
      local result
      refusal = guarded(state_key, nil, function() result = write_unit(unit, logs, keys) end)
      if refusal == nil then
        table.insert(result, 1, 'OK')
        answers[i] = result
      else
        open = {}
      end
    elseif refusal[1] == 'REPEATED' then
      local first = refusal[2]
      if is_count(unit[U_TTL]) and unit[U_TTL] ~= '0' then
        redis.call('PEXPIRE', keys[unit[U_COMMAND]], unit[U_TTL])
      end
      table.insert(first, 1, 'REPEATED')
      refusal = first
    end
    if refusal then answers[i] = refusal end
  end
  return answers
end

redis.register_function{function_name = 'cs_append_1', callback = append}
