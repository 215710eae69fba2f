"""F5, F7, W5: the append-only file cut where the power went. All of a unit or nothing of it; with `always` no loss.

Ordinary run: 32 cuts. `make power` (marked `chaos`): every byte of the last unit.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from runtime.answers import Settled
from runtime.effects import ListPush
from runtime.store.append import Appended
from tests.chaos.power.plug import COMMAND, GROUP, Plugged, RefusedError, plugged, what_is_left
from tests.support.things import START, facts
from tests.support.windows import window

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.things import Things

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOTHING = {
    "log": 2, "position": "", "settled": b"0", "snapshot": b"T1-2", "head": b"2", "history": 2, "seen": 0, "command": 0,
}  # fmt: skip


async def unit_of(kind: str, server: Plugged, things: Things) -> tuple[int, int, dict[str, object], dict[str, object]]:
    """Write the last unit: where it begins and ends in the file, and what is there without and with it."""
    await things.append(facts("T1", 0, 2, command="before"))
    before = NOTHING | {"position": START}
    if kind == "append":
        begins = server.file.stat().st_size
        answer = await things.append(facts("T1", 2, 2, command=COMMAND))
        assert isinstance(answer, Appended)
        after = before | {"log": 4, "snapshot": b"T1-4", "head": b"4", "history": 4, "command": 1}
    else:
        entries = await things.read(GROUP)
        begins = server.file.stat().st_size
        effects = [ListPush("seen", (entry.event_id,)) for entry in entries]
        settled = await things.settle(GROUP, START, entries, *effects)
        assert isinstance(settled, Settled)
        after = before | {"position": entries[-1].id, "settled": b"2", "seen": 2}
    return begins, server.file.stat().st_size, before, after


async def all_or_nothing(kind: str, folder: Path, cuts: int | None) -> int:
    """Cut in the last unit, at so many places or at every byte; how many cuts."""
    async with plugged(folder / "whole", "always") as (server, things):
        begins, ends, before, after = await unit_of(kind, server, things)
        server.pull()
        step = max(1, (ends - begins) // (cuts - 1)) if cuts else 1
        places = sorted({*range(begins, ends, step), ends})
        for number, place in enumerate(places):
            left = await what_is_left(server.copy(folder / str(number), place))
            assert left in (before, after), f"half of a {kind} after a cut at byte {place - begins}: {left}"
            assert (left == after) == (place == ends), f"cut at byte {place - begins} of {ends - begins}"
            shutil.rmtree(folder / str(number))
        return len(places)


@pytest.mark.parametrize("kind", ["append", "settle"])
async def test_a_cut_leaves_all_of_the_last_unit_or_nothing(kind: str, tmp_path: Path) -> None:
    assert await all_or_nothing(kind, tmp_path, 16) >= 16


@pytest.mark.chaos
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["append", "settle"])
async def test_a_cut_at_every_byte_leaves_all_of_the_last_unit_or_nothing(kind: str, tmp_path: Path) -> None:
    cuts = await all_or_nothing(kind, tmp_path, None)
    print(f"\n{kind}: cut at each of {cuts} bytes")  # noqa: T201  # the figure of the campaign


@window("W5")
async def test_with_always_nothing_confirmed_is_lost_when_the_file_ends_at_its_last_fsync(tmp_path: Path) -> None:
    """W5: at each confirmed reply the disk has it, so a cut back to the last fsync takes nothing that was confirmed."""
    async with plugged(tmp_path / "whole", "always") as (server, things):
        confirmed: list[tuple[int, int]] = []
        for n in range(40):
            await things.append(facts("T1", n, 1, command=f"c{n}"))
            seen = server.reached_the_disk() if server.marks.exists() else server.file.stat().st_size
            confirmed.append((n + 1, seen))
        server.pull()
        for count, length in confirmed[::8]:
            left = await what_is_left(server.copy(tmp_path / str(count), length))
            assert left["log"] >= count, f"{count} confirmed, {left['log']} on the disk"


async def test_a_flipped_byte_in_the_middle_is_refused_and_not_read_over(tmp_path: Path) -> None:
    """F7: a store that was damaged does not start on half of its data."""
    async with plugged(tmp_path / "whole", "always") as (server, things):
        for n in range(5):
            await things.append(facts("T1", n, 1, command=f"c{n}"))
        server.pull()
        damaged = server.copy(tmp_path / "damaged", server.file.stat().st_size)
        content = bytearray(damaged.file.read_bytes())
        place = content.index(b"\r\n$", len(content) // 2) + 2  # the length of an argument
        content[place] = ord("!")
        damaged.file.write_bytes(content)
        with pytest.raises(RefusedError, match="Bad file format"):
            await damaged.start()
        damaged.pull()


@pytest.mark.chaos
@pytest.mark.skipif(shutil.which("gcc") is None, reason="a slow disk is made by a compiled library")
@pytest.mark.parametrize("fsync", ["always", "everysec"])
async def test_a_killed_server_on_a_slow_disk_loses_what_waits_behind_an_fsync(fsync: str, tmp_path: Path) -> None:
    """D3: with `everysec` it answers while a write waits in its memory behind an fsync; with `always` it does not."""
    slow = 1_500_000 if fsync == "everysec" else 50_000
    async with plugged(tmp_path / "whole", fsync, delay_us=slow) as (server, things):
        confirmed, began = 0, time.monotonic()
        while time.monotonic() - began < 3.0:
            await things.append(facts("T1", confirmed, 1, command=f"c{confirmed}"))
            confirmed += 1
            await asyncio.sleep(0)
        waiting = await things.client.info("persistence")
        length = server.file.stat().st_size
        os.kill(server.pid, 9)
        server.pull()
        left = await what_is_left(server.copy(tmp_path / "after", server.file.stat().st_size))
        lost = confirmed - left["log"]
        print(  # noqa: T201  # the figure of the campaign
            f"\n{fsync}: {confirmed} confirmed, {lost} lost by kill -9; waiting at that time: buffer "
            f"{waiting['aof_buffer_length']} bytes, fsyncs {waiting['aof_pending_bio_fsync']}, file {length}"
        )
        assert lost == 0 if fsync == "always" else lost > 0
