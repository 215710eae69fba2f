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
