-- cs_open_1: makes a (log, partition) and its groups, once; later calls find and check them.
--   KEYS[1] log  [2] state  [3..] position record per group     ARGV[1] partitions  [2] new incarnation  [3..] groups
-- Answers {OK, incarnation} | {PARTITIONS, stored} | {LOST, why}
-- A group that the log has had and whose record is gone is lost; only a group that is new starts at 0-0, and only
-- on a log from which nothing was removed. A position that is found is never overwritten.
-- Runs under OOM too: a process that starts while the store is full has to be able to drain it.
local function open(keys, args)
  local log_key, state_key = keys[1], keys[2]
  local state = redis.call('HMGET', state_key, 'incarnation', 'partitions', 'restoring')
  if state[3] then
    return {'LOST', 'a restore of ' .. log_key .. ' was begun and did not end; empty the store and begin it again'}
  end
  if state[1] and state[2] ~= args[1] then return {'PARTITIONS', state[2]} end
  local kind = redis.call('TYPE', log_key).ok
  if kind ~= 'none' and kind ~= 'stream' then return {'LOST', log_key .. ' is a ' .. kind .. ', not a stream'} end
  local there = kind == 'stream'
  if state[1] and not there then
    halt(state_key, 'LOST: the stream is gone')
    return {'LOST', 'the stream ' .. log_key .. ' is gone, its state is still there'}
  end
  local whole = true
  if there then
    local info, facts = redis.call('XINFO', 'STREAM', log_key), {}
    for i = 1, #info, 2 do facts[info[i]] = info[i + 1] end
    whole = facts['entries-added'] == facts['length']
  end
  local missing = {}
  for n = 3, #args do
    local known = state[1] and redis.call('HEXISTS', state_key, 'group:' .. args[n]) == 1
    local record = redis.call('EXISTS', keys[n]) == 1
    if known and not record then
      halt(state_key, 'LOST: the position record of ' .. args[n] .. ' is missing')
      return {'LOST', 'the position record of ' .. args[n] .. ' is missing'}
    end
    if not known then
      local position = record and redis.call('HGET', keys[n], 'id')
      if record and position ~= '0-0' then
        return {'LOST', 'the state of the log is gone, but the position record of ' .. args[n] .. ' is there'}
      end
      local retired = state[1] and redis.call('HGET', state_key, 'retired:' .. args[n])
      if retired then
        return {'LOST', 'group ' .. args[n] .. ' was retired at ' .. retired ..
          '; `claimstream replay --group ' .. args[n] .. '` brings it back'}
      end
      if not whole then
        return {'LOST', 'group ' .. args[n] .. ' is new, but entries were removed before it came; `claimstream replay' ..
          ' --group ' .. args[n] .. '` builds it from the archive'}
      end
      missing[#missing + 1] = n
    end
  end
  if #missing > 0 or not state[1] then -- who may not make all of it may not begin
    require_right('HSET', state_key)
    for _, step in ipairs({'CREATE', 'DESTROY'}) do
      if not redis.acl_check_cmd('XGROUP', step, log_key, 'making') then
        error('this user may not make the log ' .. log_key .. ' or a group of it; nothing was written')
      end
    end
    for _, n in ipairs(missing) do require_right('HSET', keys[n]) end
  end
  local incarnation = state[1] or args[2]
  if not state[1] then redis.call('HSET', state_key, 'incarnation', incarnation, 'partitions', args[1]) end
  if not there then -- also without any group: append never makes a stream
    redis.call('XGROUP', 'CREATE', log_key, 'making', '0', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', log_key, 'making')
  end
  for _, n in ipairs(missing) do
    redis.pcall('XGROUP', 'CREATE', log_key, args[n], '0') -- BUSYGROUP: somebody made it by hand, resync sets its cursor
    redis.call('HSET', keys[n], 'id', '0-0', 'settled', '0', 'token', '')
    redis.call('HSET', state_key, 'group:' .. args[n], '1')
  end
  return {'OK', incarnation}
end

redis.register_function{function_name = 'cs_open_1', callback = open, flags = {'allow-oom'}}

-- Sets the cursor of the group to the position, making the group again when it was destroyed.
-- The log and the entry at the position were looked at before. Returns 1 when the group had to be made, else 0.
local function place_cursor(log_key, group, position, settled)
  local reply = redis.pcall('XGROUP', 'SETID', log_key, group, position, 'ENTRIESREAD', settled)
  if not reply.err then return '0' end
  if not string.find(reply.err, 'NOGROUP') then error(reply.err) end
  redis.call('XGROUP', 'CREATE', log_key, group, position, 'ENTRIESREAD', settled)
  return '1'
end

-- Acknowledges what is pending at or below the position: it is settled already.
local function clear_settled(log_key, group, position)
  if position == '0-0' then return end
  for _ = 1, 1000 do
    local left = redis.call('XPENDING', log_key, group, '-', position, ACK_SLICE)
    if #left == 0 then return end
    local ids = {}
    for i, row in ipairs(left) do ids[i] = row[1] end
    redis.call('XACK', log_key, group, unpack(ids))
  end
end

-- A new owner counts a death when the last one left its start mark; a single entry that was alone counts a kill.
local function count_deaths(record_key, process)
  local record = redis.call('HMGET', record_key, 'started', 'alone', 'marked')
  if record[1] and record[1] ~= process then
    redis.call('HINCRBY', record_key, 'deaths', 1)
    if record[2] and record[3] == '1' then redis.call('HINCRBY', record_key, 'kills', 1) end
  end
  redis.call('HSET', record_key, 'started', process)
end

-- Who starts has put the cursor back before: what others have pending behind it is delivered again, to us. One of them
-- may be alive and slow: the position fences it, and what it reads makes its consumer again (see tidy).
local function drop_other_consumers(log_key, group, consumer)
  for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', log_key, group)) do
    if row[2] ~= consumer then redis.call('XGROUP', 'DELCONSUMER', log_key, group, row[2]) end
  end
end

-- Deletes the consumers that `goes` speaks of and that have nothing pending; how many.
local function drop_consumers_at_rest(log_key, group, goes)
  local dropped, found = 0, redis.pcall('XINFO', 'CONSUMERS', log_key, group)
  if found.err then return 0 end -- no such group: resync makes it again
  for _, row in ipairs(found) do
    if row[4] == 0 and goes(row[2]) then
      redis.call('XGROUP', 'DELCONSUMER', log_key, group, row[2])
      dropped = dropped + 1
    end
  end
  return dropped
end

-- cs_resync_1: a settle of zero entries: the cursor goes to the position, what is pending below is acknowledged.
--   KEYS[1] log  [2] state  [3] position record  [4] held entities  [5] retry list
--   ARGV[1] group  [2] incarnation  [3] consumer = process incarnation  [4] '1' when a runner starts here
-- Answers {OK, position, settled, healed, deaths, alone, kills, retries, {entity, count ...}, token, together, marked}
--   | LOST | HALTED
local function resync(keys, args)
  local group = args[1]
  local log_key, state_key, record_key = keys[1], keys[2], keys[3]
  local refusal = refuse_log(log_key, state_key, args[2])
  if refusal then return refusal end
  local record = redis.call('HMGET', record_key, 'id', 'settled', 'torn', 'token')
  if record[3] then return {'HALTED', 'TORN: ' .. record[3]} end
  if not record[1] then
    halt(state_key, 'LOST: the position record of ' .. group .. ' is missing')
    return {'LOST', 'the position record of ' .. group .. ' is missing'}
  end
  local gone = look_behind(log_key, record[1], nil, nil)
  if gone then
    halt(state_key, 'LOST: ' .. group .. ': ' .. gone[2])
    return gone
  end
  local healed = place_cursor(log_key, group, record[1], record[2])
  clear_settled(log_key, group, record[1])
  if args[4] == '1' then
    drop_other_consumers(log_key, group, args[3])
    count_deaths(record_key, args[3])
  end
  local marks = redis.call('HMGET', record_key, 'deaths', 'alone', 'kills', 'together', 'marked')
  return {'OK', record[1], record[2], healed, marks[1] or '0', marks[2] or '', marks[3] or '0',
    tostring(redis.call('LLEN', keys[5])), redis.call('HGETALL', keys[4]), record[4] or '', marks[4] or '',
    marks[5] or '0'}
end

redis.register_function{function_name = 'cs_resync_1', callback = resync, flags = {'allow-oom'}}

-- Hands back what a leaving process has read and not settled: the cursor goes to the position, its consumer goes.
-- Best effort: the next owner's resync does the same, and decides when group or log are gone.
local function hand_back(log_key, group, consumer, position, settled)
  if not position then return end
  redis.pcall('XGROUP', 'SETID', log_key, group, position, 'ENTRIESREAD', settled)
  redis.pcall('XGROUP', 'DELCONSUMER', log_key, group, consumer)
end

-- cs_mark_1: says durably which entries behind the position are handled now, so that a death counts against them alone.
--   KEYS[1] position record  [2] log    ARGV[1] expected position  [2] id of the last one, or '' to leave: clears the
--   start mark and hands back what is pending  [3] process incarnation  [4] group  [5] how many  [6] '1' when nothing
--   else is handled in the process.   Answers {OK, position} | {FENCED, position}
-- Who is not the last that started here leaves nothing but its place: the new owner's cursor is not ours to move.
local function mark(keys, args)
  local record = redis.call('HMGET', keys[1], 'id', 'started', 'alone', 'settled', 'marked')
  if args[2] == '' then
    if record[2] == args[3] then
      redis.call('HDEL', keys[1], 'started', 'deaths', 'alone', 'kills', 'together', 'marked')
      hand_back(keys[2], args[4], args[3], record[1], record[4])
    else -- what it still has pending is the new owner's to read again
      drop_consumers_at_rest(keys[2], args[4], function(name) return name == args[3] end)
    end
    return {'OK', record[1] or ''}
  end
  if record[1] ~= args[1] then return {'FENCED', record[1] or ''} end
  if args[6] ~= '1' then
    redis.call('HDEL', keys[1], 'alone', 'kills')
    redis.call('HSET', keys[1], 'together', args[2], 'marked', args[5])
  elseif record[3] ~= args[2] or record[5] ~= args[5] then
    redis.call('HDEL', keys[1], 'together')
    redis.call('HSET', keys[1], 'alone', args[2], 'kills', '0', 'marked', args[5])
  end
  return {'OK', record[1]}
end

redis.register_function{function_name = 'cs_mark_1', callback = mark, flags = {'allow-oom'}}

-- cs_tidy_1: deletes the consumers of processes that are no more. Nothing that is pending is dropped: the idle check of
-- the owner takes it over first. Only the registry says who lives, never a consumer's idle time (redis-facts V3).
--   KEYS[1] log  [2] position record    ARGV[1] group  [2] own process incarnation  [3..] the living, us among them
-- Answers {OK, deleted} | {FENCED, who started here last}
local function tidy(keys, args)
  local started = redis.call('HGET', keys[2], 'started')
  if started ~= args[2] then return {'FENCED', started or ''} end
  local living = {}
  for n = 2, #args do living[args[n]] = true end
  local dropped = drop_consumers_at_rest(keys[1], args[1], function(name) return not living[name] end)
  return {'OK', tostring(dropped)}
end

redis.register_function{function_name = 'cs_tidy_1', callback = tidy, flags = {'allow-oom'}}

-- cs_look_1: reads where a group stands, in one atomic look.
--   KEYS[1] log  [2] state  [3] position record  [4] parked stream  [5] retry list    ARGV[1] group
-- Answers {OK, position, settled, last delivered, pending, entries added, length, oldest unsettled id, parked,
--   retries, halted, torn, started, highest deleted id, consumers}
local function look(keys, args)
  local log_key = keys[1]
  local state = redis.call('HMGET', keys[2], 'incarnation', 'halted')
  local record = redis.call('HMGET', keys[3], 'id', 'settled', 'torn', 'started')
  if redis.call('TYPE', log_key).ok ~= 'stream' then return {'LOST', state[2] or 'the stream is gone'} end
  local info, facts = redis.call('XINFO', 'STREAM', log_key), {}
  for i = 1, #info, 2 do facts[info[i]] = info[i + 1] end
  local delivered, pending, consumers = '', -1, 0
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', log_key)) do
    local group = {}
    for i = 1, #row, 2 do group[row[i]] = row[i + 1] end
    if group['name'] == args[1] then
      delivered, pending, consumers = group['last-delivered-id'], group['pending'], group['consumers']
    end
  end
  local oldest = ''
  if record[1] then
    local from = record[1] == '0-0' and '-' or '(' .. record[1]
    local next_one = redis.call('XRANGE', log_key, from, '+', 'COUNT', 1)[1]
    if next_one then oldest = next_one[1] end
  end
  return {'OK', record[1] or '', record[2] or '0', delivered, tostring(pending), tostring(facts['entries-added']),
    tostring(facts['length']), oldest, tostring(redis.call('XLEN', keys[4])), tostring(redis.call('LLEN', keys[5])),
    state[2] or '', record[3] or '', record[4] or '', facts['max-deleted-entry-id'] or '0-0', tostring(consumers)}
end

redis.register_function{function_name = 'cs_look_1', callback = look, flags = {'no-writes'}}
