-- One unit of append: its checks and its writes, for append itself and for the appends that a settle carries.

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
