-- What only append writes: the history of an entity names each of its entries, at the place of its sequence.

-- cs_forged_1: which of these entries are not in the history of their entity. Append writes both in one step, so an entry
-- that carries a sequence and does not stand there was written past append.
--   KEYS[1..] histories    ARGV[1] packed list of {place of the history in KEYS, sequence, entry id}
-- Answers {OK, place in the list of each such entry ..}
local function forged(keys, args)
  local found = {'OK'}
  for place, one in ipairs(cmsgpack.unpack(args[1])) do
    -- A key of another type is no history either: pcall gives a table then, which equals no id.
    if redis.pcall('LINDEX', keys[one[1]], one[2] - 1) ~= one[3] then found[#found + 1] = tostring(place) end
  end
  return found
end

redis.register_function{function_name = 'cs_forged_1', callback = forged, flags = {'no-writes'}}
