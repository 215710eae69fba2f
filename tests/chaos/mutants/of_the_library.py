"""Mutants of the two atomic steps: the rows of guarantees.md (e) about append, settle and resync."""

from __future__ import annotations

from tests.chaos.mutants.variant import SERVING, STORE, Change, Mutant, lua, story

SETTLE = "30_settle.lua"
FENCE = "  if record[1] ~= expected then return {'FENCED', record[1], record[3] or ''} end\n"
LOOK_BEHIND = "refusal = look_behind(log_key, expected, ids[1], call[2])"
ACKNOWLEDGE = "refusal = acknowledge(log_key, group, expected, ids)"
MOVE = "    move_position(record_key, ids, token, settled, record[5] or record[6])\n"
RELEASE = "    release(keys, call[7])\n"
UNITS = "    for _, unit in ipairs(fresh) do write_unit(unit, call[4], keys) end\n"
STREAM_GONE = lua("10_common.lua", "  if kind ~= 'stream' then\n", "  if kind ~= 'stream' and kind ~= 'none' then\n")
NAMES = """\
    args = [group, log.incarnation(partition), process, "1" if start else "0"]
    reply = await functions.call(client, functions.RESYNC"""
TWO_STEPS = """\
    at = (await client.execute_command("HGET", keys.position(group, partition), "id")).decode()
    await client.execute_command("XGROUP", "SETID", keys.log(partition), group, at)
    return Standing(position=at, settled=0, healed=False, deaths=0, alone="", kills=0, retries=0, held={})
"""

APPEND_ROWS = (
    story("append: ignores the command id", "append ignores the command id", "I3"),
    story("append: ignores the command id", "append stores no result", "I3"),
    story("append: ignores the expected version", "append ignores the version", "I5"),
    Mutant(
        "append: writes the snapshot before the check", "append writes the snapshot before the check",
        (lua(
            "20_append.lua", "    local refusal = nil\n",
            "    if #unit[U_FIELDS] > 0 then write('HSET', keys[unit[U_SNAPSHOT]], unpack(unit[U_FIELDS])) end\n"
            "    local refusal = nil\n",
        ),),
        "I5", (STORE + "test_append.py::test_an_append_to_an_emptied_store_is_refused",),
    ),
    Mutant(
        "append: writes the snapshot before the check", "append forgets the history index",
        (lua("16_units.lua", "  if #result > 1 then write('RPUSH'", "  if false then write('RPUSH'"),),
        "I5",
        (STORE + "test_append.py::test_an_append_writes_events_version_snapshot_history_and_effects_together",),
    ),
    Mutant(
        "append: writes the snapshot before the check", "XADD creates the stream",
        (STREAM_GONE, lua("16_units.lua", "log_key, 'NOMKSTREAM', '*'", "log_key, '*'")),
        "W26", (STORE + "test_append.py::test_a_log_that_is_gone_is_not_made_again_by_an_append",),
    ),
    story("halt flag ignored by append", "append ignores the halt", "I15"),
)  # fmt: skip

SETTLE_ROWS = (
    story("settle: no position check", "no position check", "I6"),
    story('settle: position check by "not greater"', "position not greater instead of equal", "I6, I10"),
    story("settle: no first-entry check", "no first-entry check", "I6"),
    story("settle: no first-entry check", "no look for a hole", "I6"),
    Mutant(
        "settle: first entry checked by tonumber", "first entry compared as numbers",
        (lua(
            SETTLE, "  if not behind or behind[1] ~= first_id then",
            "  local function ms(id) return tonumber(string.match(id, '^(%d+)')) end\n"
            "  if not behind or ms(behind[1]) ~= ms(first_id) then",
        ),),
        "I6, W8", (STORE + "test_doubt.py::"
                   "test_a_swallowed_entry_is_a_gap_when_only_the_last_digit_of_its_id_differs",),
    ),
    story("settle: does not need the entry at the position", "entry at the position not required", "W27"),
    story("settle: does not need the entry at the position", "missing position read as 0-0", "W28"),
    story("settle: eventId of the first entry not compared", "eventId not compared", "W30"),
    Mutant(
        "settle: position written before effects", "position written before the effects",
        (lua(SETTLE, RELEASE + MOVE, RELEASE), lua(SETTLE, UNITS, MOVE + UNITS)),
        "I7, W17",
        (STORE + "test_full_and_torn.py::test_a_settle_that_was_torn_half_way_halts_the_partition_for_everybody",),
    ),
    Mutant(
        "settle: position written before effects", "errors of effects are swallowed",
        (lua(
            "14_performing.lua",
            "  if type(reply) == 'table' and reply.err then error({torn = reply.err}) end\n  return reply\nend\n\n"
            "-- Performs one",
            "  return reply\nend\n\n-- Performs one",
        ),),
        "I7, W17",
        (STORE + "test_full_and_torn.py::test_a_settle_that_was_torn_half_way_halts_the_partition_for_everybody",),
    ),
    story("settle: position written before effects", "effects not checked before the first write", "W17"),
    story("settle: XACK left out", "XACK left out", "I9"),
    Mutant(
        "settle: XACK left out", "the client acknowledges before settle",
        (Change(
            "runtime/store/link.py",
            "        answer = await self._settler.settle(position, token, what, after=after)\n",
            "        for entry in what.entries:\n"
            "            await self._commands.execute_command(\n"
            '                "XACK", self._keys.log(self._partition), self._group, entry.id\n'
            "            )\n"
            "        answer = await self._settler.settle(position, token, what, after=after)\n",
        ),),
        "I6, I14", (SERVING + "test_windows.py::test_every_entry_is_applied_once_and_in_order",),
    ),
    Mutant(
        "settle: a key not declared", "settle counts in a key that it did not declare",
        (lua(
            SETTLE, "  local settled = tostring(tonumber(record[2]) + #ids)",
            "  redis.call('INCRBY', 'settled:' .. group, #ids)\n"
            "  local settled = tostring(tonumber(record[2]) + #ids)",
        ),),
        "C6", (STORE + "test_declared_keys.py::test_append_and_settle_touch_declared_keys_only",),
    ),
    Mutant(
        "settle: registered without `allow-oom`", "settle registered without allow-oom",
        (lua(SETTLE, "callback = settle, flags = {'allow-oom'}}", "callback = settle}"),),
        "W24",
        (STORE + "test_full_and_torn.py::"
         "test_a_full_store_refuses_appends_and_drains_until_it_takes_them_again",),
    ),
    Mutant(
        "lease alone as fence", "no fence but the lease",
        (lua(SETTLE, FENCE, ""), lua(SETTLE, LOOK_BEHIND, "refusal = nil"), lua(SETTLE, ACKNOWLEDGE, "refusal = nil")),
        "I6", (SERVING + "test_windows.py::test_a_paused_runner_that_wakes_up_is_fenced_and_writes_nothing",),
    ),
)  # fmt: skip

RESYNC_ROWS = (
    Mutant(
        "resync: HGET then SETID", "resync in two steps",
        (Change("runtime/store/position.py", NAMES, TWO_STEPS + NAMES),),
        "I9, W13",
        (STORE + "test_doubt.py::test_a_resync_that_arrives_late_puts_the_cursor_where_the_position_is_by_then",),
    ),
    Mutant(
        "resync: HGET then SETID", "resync over the command connection",
        (Change(
            "runtime/store/reader.py", "                self._client, self._log, self._group,",
            "                self._commands, self._log, self._group,",
        ),),
        "I9", (STORE + "test_doubt.py::test_a_resync_goes_over_the_connection_that_reads",),
    ),
    story("resync: HGET then SETID", "resync without acknowledging", "I9"),
    story("resync at `$`", "a healed group begins at the end", "I6"),
    Mutant(
        "resync at `$`", "a group is made again with MKSTREAM",
        (
            STREAM_GONE,
            lua("40_position.lua", "  local gone = look_behind(log_key, record[1], nil, nil)", "  local gone = nil"),
            lua("40_position.lua", "  if not string.find(reply.err, 'NOGROUP') then error(reply.err) end\n", ""),
            lua(
                "40_position.lua", "  redis.call('XGROUP', 'CREATE', log_key, group, position, 'ENTRIESREAD', settled)",
                "  redis.call('XGROUP', 'CREATE', log_key, group, position, 'MKSTREAM', 'ENTRIESREAD', settled)",
            ),
        ),
        "I15, W26", (STORE + "test_position.py::test_resync_of_a_deleted_log_halts_and_makes_nothing",),
    ),
    story("transient error counted as poison", "deaths in company are counted", "W21"),
    story("transient error counted as poison", "deaths of many together are counted", "W20"),
    Mutant(
        "trim by MAXLEN", "trim by MAXLEN",
        (
            lua(
                "52_retention.lua", "redis.call('XTRIM', log_key, 'MINID', '~', upto, 'LIMIT', args[3])",
                "redis.call('XTRIM', log_key, 'MAXLEN', '=', 2)",
            ),
        ),
        "W27", (STORE + "test_retention.py::test_every_group_goes_on_after_a_trim",),
    ),
    story("(more than section e)", "two reads joined", "I6"),
    story("(more than section e)", "no token check of a settle without entries", "W16"),
    story("(more than section e)", "tidy drops what is pending", "I9"),
    story("(more than section e)", "anybody tidies", "I9"),
)  # fmt: skip

OF_THE_LIBRARY = APPEND_ROWS + SETTLE_ROWS + RESYNC_ROWS
