"""An exported log verifies without a cluster, and the first thing that was tampered with is named."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.rows import row
from tests.support.small_cluster import small_application
from tests.support.store import command
from workers.verifying.export import export_log
from workers.verifying.offline import CheckpointLine, verify_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis.asyncio import Redis

    from runtime.store.address import StoreAddress
    from tests.support.small_cluster import SmallStore

Lines = list[dict[str, Any]]


@pytest.fixture
async def exported(
    small_stores: dict[str, SmallStore], commands: Redis, store_address: StoreAddress, tmp_path: Path
) -> Path:
    """The log of a small store as a file."""
    ready = small_stores["ended"]
    await ready.dump.restore(commands)
    path = tmp_path / "log.jsonl"
    async with small_application(store_address, ready.directory) as app:
        done = await export_log(app, path)
    assert done.entries == await command(commands, "XLEN", "claims:events")
    return path


def lines_of(path: Path) -> Lines:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rewritten(path: Path, lines: Lines) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_an_untouched_file_verifies_up_to_the_recorded_head(exported: Path) -> None:
    report = verify_file(exported)
    assert report.ok, report.first_bad
    assert [path.name for path in exported.parent.iterdir()] == [exported.name]
    assert report.entries == sum(line["line"] == "entry" for line in lines_of(exported))
    assert report.checkpoints == 1, "the auditor's head is the last checkpoint"


def edited(lines: Lines) -> None:
    lines[5]["fields"][-1] = b64encode(b"changed").decode()


def edited_with_its_link(lines: Lines) -> None:
    lines[5]["link"] = "00" * 32


def removed(lines: Lines) -> None:
    del lines[5]


def removed_and_renumbered(lines: Lines) -> None:
    del lines[5]
    for line in lines[5:-2]:
        line["number"] -= 1


def swapped(lines: Lines) -> None:
    lines[5], lines[6] = lines[6], lines[5]


def inserted(lines: Lines) -> None:
    lines.insert(5, dict(lines[5]))


def other_id(lines: Lines) -> None:
    lines[5]["id"] = "1-1"


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (edited, "entry 5"),
        (edited_with_its_link, "entry 5"),
        (removed, "entry 5 was expected"),
        (removed_and_renumbered, "entry 5"),
        (swapped, "entry 5 was expected"),
        (inserted, "entry 6 was expected"),
        (other_id, "entry 5"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@row("S4")
def test_the_first_bad_entry_is_named(exported: Path, tamper: Callable[[Lines], None], named: str) -> None:
    lines = lines_of(exported)
    tamper(lines)
    report = verify_file(rewritten(exported, lines))
    assert not report.ok
    assert named in report.first_bad


def test_a_cut_tail_is_found_by_the_end_that_is_missing(exported: Path) -> None:
    report = verify_file(rewritten(exported, lines_of(exported)[:-4]))
    assert "its tail is cut" in report.first_bad


def test_a_tail_cut_by_somebody_who_wrote_a_new_end_is_found_by_a_checkpoint_kept_elsewhere(
    exported: Path,
) -> None:
    lines = lines_of(exported)
    last = next(line for line in reversed(lines) if line["line"] == "entry")
    kept = CheckpointLine(0, last["number"], last["id"], last["link"])
    cut = [line for line in lines if line["line"] == "log" or line.get("number", 10**9) < last["number"]]
    cut.append({"line": "end", "partition": 0, "count": cut[-1]["number"], "head": cut[-1]["link"]})
    path = rewritten(exported, cut)
    assert verify_file(path).ok, "without a checkpoint nothing shows it: that is why they are kept"
    report = verify_file(path, checkpoints=[kept])
    assert not report.ok
    assert "tail is cut" in report.first_bad


def test_a_history_that_was_chained_anew_does_not_fit_a_checkpoint_kept_elsewhere(exported: Path) -> None:
    report = verify_file(exported, checkpoints=[CheckpointLine(0, 3, "1-1", "ab" * 32)])
    assert "entry 3" in report.first_bad
    assert "kept elsewhere" in report.first_bad


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "the file is empty"),
        ("nonsense\n", "line 1 cannot be read"),
        ('{"line":"end","partition":0,"count":0,"head":""}\n', "does not begin with the name of a log"),
        ('{"line":"log","format":"x","name":"n","partitions":1,"incarnations":[]}\n', "the format is 'x'"),
    ],
)
def test_what_is_no_export_is_refused_in_a_line(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "file.jsonl"
    path.write_text(text)
    report = verify_file(path)
    assert not report.ok
    assert named in report.first_bad


async def test_an_entry_that_was_changed_in_the_store_does_not_fit_the_auditors_head(
    small_stores: dict[str, SmallStore], commands: Redis, store_address: StoreAddress, tmp_path: Path
) -> None:
    ready = small_stores["ended"]
    await ready.dump.restore(commands)
    rows = await command(commands, "XRANGE", "claims:events", "-", "+")
    await commands.delete("claims:events")
    for number, (entry_id, fields) in enumerate(rows):
        changed = {**fields, b"actor": b"system:somebody"} if number == 3 else fields
        flat = [part for pair in changed.items() for part in pair]
        await command(commands, "XADD", "claims:events", entry_id, *flat)
    path = tmp_path / "log.jsonl"
    async with small_application(store_address, ready.directory) as app:
        await export_log(app, path)
    report = verify_file(path)
    assert not report.ok
    assert "checkpoint" in report.first_bad
