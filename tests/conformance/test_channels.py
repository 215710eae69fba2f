"""What every channel promises, whatever is behind it. A new channel adds one line to `CHANNELS`."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from workers.channels.log_file import LogFileChannel, LogFileOptions
from workers.ports import Delivered, OutboundMessage, PermanentFailure, TemporaryFailure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from workers.ports import Channel


class FixedClock:
    """Always the same moment."""

    def now(self) -> datetime:
        return datetime(2025, 1, 15, 10, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


class ChannelCase(Protocol):
    """A channel with what the suite needs to see and to break behind it."""

    def make(self) -> Channel:
        """Return a channel as a fresh process would have it, over the same provider."""
        ...

    def received(self) -> list[str]:
        """Return the keys that the provider has, each as often as it has it."""
        ...

    def everything(self) -> str:
        """Return all that the provider wrote in the clear."""
        ...

    def impossible(self) -> OutboundMessage:
        """Return a message that this channel can never deliver."""
        ...

    def break_provider(self) -> None:
        """Make the provider unreachable."""
        ...

    def mend_provider(self) -> None:
        """Make it reachable again."""
        ...


class LogFileCase:
    """The log file in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notices"
        self.away = folder / "away"
        self.folder.mkdir()

    def make(self, **changes: Any) -> LogFileChannel:
        return LogFileChannel(LogFileOptions(path=self.folder / "notices.jsonl", **changes), FixedClock())

    def lines(self) -> list[dict[str, Any]]:
        files = sorted(self.folder.glob("notices.jsonl*"), reverse=True)
        return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]

    def received(self) -> list[str]:
        return [line["key"] for line in self.lines()]

    def everything(self) -> str:
        return "".join(file.read_text() for file in self.folder.iterdir())

    def impossible(self) -> OutboundMessage:
        return message(99, params={"reason": "x" * 70_000})

    def break_provider(self) -> None:
        self.folder.rename(self.away)

    def mend_provider(self) -> None:
        self.away.rename(self.folder)


CHANNELS: dict[str, Callable[[Path], ChannelCase]] = {"log_file": LogFileCase}


@pytest.fixture(params=sorted(CHANNELS))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> ChannelCase:
    return CHANNELS[request.param](tmp_path)


@pytest.fixture
def log_file(tmp_path: Path) -> LogFileCase:
    return LogFileCase(tmp_path)


def message(number: int, **changes: Any) -> OutboundMessage:
    given: dict[str, Any] = {
        "key": f"e-{number}|CUST-1|approved",
        "event_id": f"e-{number}",
        "claim_id": "CLM-1",
        "recipient": "CUST-1",
        "template": "approved",
        "params": {"amount": "70610.00"},
        "address": "jane.canary@example.com",
        "body": "Dear Jane Canary",
    }
    return OutboundMessage(**{**given, **changes})


@asynccontextmanager
async def running(channel: Channel) -> AsyncIterator[Channel]:
    try:
        yield channel
    finally:
        await channel.aclose()


async def test_each_message_gets_its_outcome_in_order(case: ChannelCase) -> None:
    async with running(case.make()) as channel:
        sent = [message(1), case.impossible(), message(2)]
        outcomes = await channel.deliver(sent)
    assert [outcome.key for outcome in outcomes] == [one.key for one in sent]
    assert [type(outcome) for outcome in outcomes] == [Delivered, PermanentFailure, Delivered]
    assert case.received() == [sent[0].key, sent[2].key]


async def test_nothing_is_delivered_for_an_empty_batch(case: ChannelCase) -> None:
    async with running(case.make()) as channel:
        assert list(await channel.deliver([])) == []


async def test_a_repeated_message_is_answered_again_and_not_sent_again(case: ChannelCase) -> None:
    async with running(case.make()) as channel:
        (first,) = await channel.deliver([message(1)])
        (again,) = await channel.deliver([message(1)])
    async with running(case.make()) as after_a_restart:
        (once_more,) = await after_a_restart.deliver([message(1)])
    assert isinstance(first, Delivered)
    assert again == once_more == Delivered(first.key, first.provider_ref, repeated=True)
    assert not first.repeated
    assert case.received() == [message(1).key]


async def test_a_message_twice_in_a_batch_is_sent_once(case: ChannelCase) -> None:
    async with running(case.make()) as channel:
        first, second = await channel.deliver([message(1), message(1)])
    assert isinstance(first, Delivered)
    assert second == Delivered(first.key, first.provider_ref, repeated=True)
    assert case.received() == [message(1).key]


async def test_two_processes_do_not_send_the_same_message_twice(case: ChannelCase) -> None:
    async with running(case.make()) as one, running(case.make()) as other:
        await one.deliver([message(1)])
        await other.deliver([message(1), message(2)])
        await one.deliver([message(2), message(3)])
    assert case.received() == [message(n).key for n in (1, 2, 3)]


async def test_a_provider_that_is_away_is_a_temporary_failure_and_heals(case: ChannelCase) -> None:
    async with running(case.make()) as channel:
        await channel.deliver([message(1)])
        case.break_provider()
        failed = await channel.deliver([message(2), case.impossible()])
        case.mend_provider()
        healed = await channel.deliver([message(1), message(2)])
    assert [type(outcome) for outcome in failed] == [TemporaryFailure, PermanentFailure]
    assert [type(outcome) for outcome in healed] == [Delivered, Delivered]
    assert case.received() == [message(1).key, message(2).key]


async def test_no_failure_and_no_repr_shows_address_or_text(case: ChannelCase) -> None:
    async with running(case.make()) as channel:
        case.break_provider()
        outcomes = await channel.deliver([message(1), case.impossible()])
        case.mend_provider()
        shown = f"{outcomes!r} {channel!r} {message(1)!r} {message(1)}"
    assert "anary" not in shown


async def test_closing_twice_is_legal_and_so_is_closing_before_use(case: ChannelCase) -> None:
    channel = case.make()
    await channel.aclose()
    await channel.deliver([message(1)])
    await channel.aclose()
    await channel.aclose()


async def test_the_log_file_carries_no_address_and_no_text(log_file: LogFileCase) -> None:
    async with running(log_file.make()) as channel:
        await channel.deliver([message(1)])
    assert "anary" not in log_file.everything()
    (line,) = log_file.lines()
    assert line["recipient"] == "CUST-1"
    assert line["params"] == {"amount": "70610.00"}
    assert line["provider_ref"].startswith("log-")
    assert (log_file.folder / "notices.jsonl").stat().st_mode & 0o777 == 0o600


async def test_rotation_keeps_every_line_and_every_key(log_file: LogFileCase) -> None:
    for number in range(6):
        async with running(log_file.make(rotate_bytes=500)) as channel:
            await channel.deliver([message(number * 2), message(number * 2 + 1)])
    async with running(log_file.make(rotate_bytes=500)) as channel:
        again = await channel.deliver([message(n) for n in range(2, 12)])
    assert all(isinstance(outcome, Delivered) and outcome.repeated for outcome in again)
    assert len(list(log_file.folder.glob("notices.jsonl.[0-9]"))) == 5
    assert log_file.received() == [message(n).key for n in range(2, 12)]


async def test_a_file_rotated_by_another_process_is_noticed(log_file: LogFileCase) -> None:
    async with running(log_file.make()) as one, running(log_file.make(rotate_bytes=1)) as other:
        await one.deliver([message(1)])
        await other.deliver([message(2)])
        await one.deliver([message(1), message(2), message(3)])
    assert log_file.received() == [message(n).key for n in (1, 2, 3)]
    assert message(3).key in (log_file.folder / "notices.jsonl").read_text()


async def test_a_paused_process_that_holds_the_lock_does_not_hold_up_the_others_for_ever(
    log_file: LogFileCase,
) -> None:
    async with running(log_file.make(lock_wait=0.02)) as channel:
        with (log_file.folder / "notices.jsonl.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (failed,) = await channel.deliver([message(1)])
        (healed,) = await channel.deliver([message(1)])
    assert isinstance(failed, TemporaryFailure)
    assert isinstance(healed, Delivered)


async def test_a_line_cut_by_a_crash_is_removed_and_its_message_sent(log_file: LogFileCase) -> None:
    async with running(log_file.make()) as channel:
        await channel.deliver([message(1)])
    path = log_file.folder / "notices.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes().replace(b"e-1", b"e-2")[:-5])
    async with running(log_file.make()) as channel:
        await channel.deliver([message(2)])
    assert log_file.received() == [message(1).key, message(2).key]


async def test_a_batch_that_did_not_reach_the_disk_is_taken_back(
    log_file: LogFileCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    async with running(log_file.make()) as channel:
        await channel.deliver([message(1)])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            (failed,) = await channel.deliver([message(2)])
        assert isinstance(failed, TemporaryFailure)
        assert failed.reason.endswith("No space left on device")
        assert log_file.received() == [message(1).key]
        (healed,) = await channel.deliver([message(2)])
    assert isinstance(healed, Delivered)
    assert not healed.repeated
    assert log_file.received() == [message(1).key, message(2).key]


async def test_a_line_break_in_a_value_cannot_forge_a_line(log_file: LogFileCase) -> None:
    async with running(log_file.make()) as channel:
        await channel.deliver([message(1, params={"reason": 'x\n{"key":"forged"}\r\u2028'})])
        await channel.deliver([message(2, key="forged")])
    assert log_file.received() == [message(1).key, "forged"]
