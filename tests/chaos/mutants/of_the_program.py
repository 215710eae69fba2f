"""Mutants of the runtime, of the actors and of the campaign's judge: the other rows of guarantees.md (e)."""

from __future__ import annotations

from tests.chaos.mutants.variant import SERVING, STORE, Change, Mutant

READER, CLIENTS, DISPATCHER = "runtime/store/reader.py", "runtime/store/clients.py", "workers/dispatcher.py"
DOUBT = STORE + "test_doubt.py::"
DISPATCHING = "tests/workers/test_dispatcher.py::"
CAMPAIGN = "tests/chaos/test_campaign.py::"
CONNECTED = "    values = _connection(address, reply_seconds, connect_seconds, client_name, resolve=resolve)\n"

READING_ROWS = (
    Mutant(
        "no idle check", "no idle check",
        (Change(
            "runtime/serving/runner.py", "            else:\n                await self._look_while_idle()\n", ""
        ),),
        "W9",
        (SERVING + "test_windows.py::test_a_tail_that_a_dead_consumer_read_is_healed_without_a_further_append",),
    ),
    Mutant(
        "buffer kept after FENCED or GAP", "what was read ahead is kept after doubt",
        (Change(
            READER,
            '        """End the read in flight and forget what it brings."""\n'
            "        flight, self._flight = self._flight, None\n",
            '        """End the read in flight."""\n        flight = self._flight\n',
        ),),
        "I14, W10", (DOUBT + "test_what_was_read_ahead_is_forgotten_with_the_batch_that_was_refused",),
    ),
    Mutant(
        "buffer kept after FENCED or GAP", "a reader drops one entry of a batch",
        (Change(
            READER, "        rows = next(iter(reply.values()))\n",
            "        rows = next(iter(reply.values()))\n        rows = [*rows[:1], *rows[2:]]\n",
        ),),
        "I6, I14", (SERVING + "test_windows.py::test_every_entry_is_applied_once_and_in_order",),
    ),
    Mutant(
        "reader with retries", "the reader's client repeats by itself",
        (Change(
            CLIENTS, CONNECTED, CONNECTED + '    values["retry"] = Retry(NoBackoff(), 3)\n',
        ),),
        "I14, I6",
        (STORE + "test_clients.py::test_a_blocked_read_may_take_its_block_and_a_dead_socket_ends_it_soon_after",),
    ),
    Mutant(
        "reader with retries", "a read under a timeout scope",
        (Change(
            READER,
            "            entries = await asyncio.shield(self._flight)\n",
            "            async with asyncio.timeout(self._options.block_ms / 1000 + 0.1):\n"
            "                entries = await self._flight\n"
            "        except TimeoutError:\n"
            "            self._flight = None\n"
            "            return []\n",
        ),),
        "I14, I6", (DOUBT + "test_a_read_that_is_answered_late_is_waited_for",),
    ),
    Mutant(
        "command client retries raw XADD", "the command client repeats by itself",
        (Change(CLIENTS, '        "retry": Retry(NoBackoff(), 0),\n', '        "retry": Retry(NoBackoff(), 3),\n'),),
        "I2", (STORE + "test_clients.py::test_a_server_that_hangs_gives_one_timeout_and_one_effect",),
    ),
    Mutant(
        "WAIT on another pooled connection", "WAIT on another pooled connection",
        (Change(
            "runtime/store/received.py",
            "        replies = await pipeline.execute(raise_on_error=False)\n",
            "        import asyncio\n\n"
            "        replies = await asyncio.gather(*(client.execute_command(*one) for one in commands))\n",
        ),),
        "I1, W6",
        (STORE + "test_append.py::test_an_append_is_confirmed_by_replicas_that_have_it_also_when_it_is_repeated",),
    ),
)  # fmt: skip

HANDLING_ROWS = (
    Mutant(
        "transient error counted as poison", "a store that is away counts as poison",
        (Change(
            "runtime/serving/work.py", "NOT_THE_ENTRY = (StoreUnavailable, ReaderTooOld,",
            "NOT_THE_ENTRY = (ReaderTooOld,",
        ),),
        "W23", (SERVING + "test_poison.py::test_a_store_that_is_away_in_a_handler_is_nobodys_fault",),
    ),
    Mutant(
        "park without holding the claim", "a park does not hold its entity",
        (Change("runtime/serving/triage.py", "        elif entry.entity in blocked:\n", "        elif False:\n"),),
        "I6 per claim, W22",
        (SERVING + "test_poison.py::"
         "test_entries_behind_a_parked_one_are_parked_behind_it_and_applied_in_order_when_tried_again",),
    ),
    Mutant(
        "projection reads the claim snapshot", "analytics counts by the version that the claim has now",
        (Change(
            "workers/analytics.py",
            "        facts = [fact_of(entry) for entry in batch.entries]\n",
            '        heads = await self._reads.many([("GET", f"claim:{one.entity}:head") for one in batch.entries])\n'
            "        now = [one for one, head in zip(batch.entries, heads, strict=True) if int(head) == one.sequence]\n"
            "        batch = type(batch)(batch.log, batch.partition, now)\n"
            "        facts = [fact_of(entry) for entry in batch.entries]\n",
        ),),
        "I7", ("tests/workers/test_analytics.py::test_counts_equal_log",),
    ),
)  # fmt: skip

OUTSIDE_ROWS = (
    Mutant(
        "dispatcher: key from attempt number", "the key counts the attempts",
        (Change(
            DISPATCHER,
            "        messages = [one.message.outbound() for one in begun]\n",
            "        messages = [\n"
            '            msgspec.structs.replace(one.message.outbound(), key=f"{one.message.id}-{one.mark.attempt}")\n'
            "            for one in begun\n"
            "        ]\n",
        ),),
        "I11, W35",
        (DISPATCHING + "test_a_crash_between_mark_and_outcome_sends_again_with_the_same_key",),
    ),
    Mutant(
        "dispatcher: key from attempt number", "the outcome is written before the call",
        (Change(
            DISPATCHER,
            "        return [HashSet(self._keys.outbox_attempts, fields)]\n",
            "        from workers.outbox import Ended\n\n"
            '        ended = encode_record(Ended("delivered", "", 1, self._channel.name, "", ""))\n'
            "        return [\n"
            "            HashSet(self._keys.outbox_attempts, fields),\n"
            "            HashSet(self._keys.outbox_outcomes, {one.message.id: ended for one in begun}),\n"
            "        ]\n",
        ),),
        "I11, W36", (DISPATCHING + "test_the_mark_is_in_the_store_before_anybody_is_called",),
    ),
    Mutant(
        "dispatcher: key from attempt number", "the call comes before its durable mark",
        (Change(
            "runtime/serving/work.py",
            "            return wanted\n        await self._settling.aside(_aside(wanted).settlement({}, ()))\n",
            "            return wanted\n",
        ),),
        "I11, W36",
        (SERVING + "test_outside.py::test_the_mark_of_an_attempt_is_in_the_store_before_the_outside_call",
         DISPATCHING + "test_the_mark_is_in_the_store_before_anybody_is_called"),
    ),
    Mutant(
        "dispatcher: key from attempt number", "the mark is not waited for (no WAIT behind a settle)",
        (Change(
            "runtime/store/settle.py",
            "functions.SETTLE, keys, args, self._bus, received=self._received)",
            "functions.SETTLE, keys, args, self._bus)",
        ),),
        "I11, W36", (STORE + "test_received.py::test_a_settle_counts_only_when_a_replica_has_it",),
    ),
    Mutant(
        "archive acknowledged before fsync", "the archive is settled before it is on the disk",
        (Change(
            "runtime/archive/writer.py",
            '        failpoints.hit("archive.written")\n        os.fsync(self._file)\n',
            '        failpoints.hit("archive.written")\n',
        ),),
        "I1", ("tests/runtime/archive/test_archiver.py::test_what_is_settled_survives_a_power_cut",),
    ),
    Mutant(
        "checker: sums instead of ids", "the judge counts instead of looking at ids",
        (Change(
            "tests/chaos/campaign/check_groups.py",
            "            if applied == due:\n", "            if len(applied) == len(due):\n",
        ),),
        "its own fixtures",
        (CAMPAIGN + "test_a_judge_that_counts_instead_of_looking_at_ids_would_have_missed_it",),
    ),
)  # fmt: skip

OF_THE_PROGRAM = READING_ROWS + HANDLING_ROWS + OUTSIDE_ROWS
