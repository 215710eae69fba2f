"""The harness around the figures: who is named when he cannot run, which rows belong together, what is written."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.benchmarks import corpus
from tests.benchmarks.bench import all_rows, chosen, main
from tests.benchmarks.bench_run import SCALES, attempt
from tests.benchmarks.board import Board
from tests.benchmarks.chart import chart
from tests.benchmarks.conditions import Conditions
from tests.benchmarks.contestants import OURS, PEERS
from tests.benchmarks.figures import Spread
from tests.benchmarks.report import as_json, table, write
from tests.benchmarks.rows.consume import Consume, rate_of
from tests.benchmarks.running import CannotRun, Program, run

if TYPE_CHECKING:
    from pathlib import Path

CONDITIONS = Conditions(
    started="2026-01-02T03:04+00:00", cores=2, processor="a processor", memory_gib=8.0,
    load_average=(0.5, 0.4, 0.3), python="3.11", packages={"redis": "8"}, node="none", server="valkey 9",
    appendfsync="everysec", transport="TCP", batch=500, scale="tiny", rounds=1, revision="abc",
)  # fmt: skip


async def test_a_peer_that_is_not_installed_is_named_with_its_error() -> None:
    absent = Program(command=("python",), needs="/nowhere/bin/python")
    board = Board()
    Consume().declare(board)
    await attempt(board, (rate_of(PEERS[0]),), lambda: _run(absent))
    assert "/nowhere/bin/python is not there" in board.errors[rate_of(PEERS[0])]
    assert "/nowhere/bin/python is not there" in table(board, CONDITIONS)
    assert "/nowhere/bin/python is not there" in as_json(board, CONDITIONS).decode()


async def test_a_program_that_fails_is_quoted() -> None:
    broken = Program(command=(sys.executable, "-c", "raise SystemExit('no such stream')"), needs=sys.executable)
    with pytest.raises(CannotRun, match="no such stream"):
        await run(broken, "work", {})


async def test_a_long_answer_comes_whole() -> None:
    code = "import json; print(json.dumps({'many': list(range(200_000))}))"
    answer = await run(Program(command=(sys.executable, "-c", code), needs=sys.executable), "work", {})
    assert answer["many"][-1] == 199_999


async def _run(program: Program) -> None:
    await run(program, "work", {})


def test_a_row_brings_the_rows_that_it_needs() -> None:
    rows = all_rows(SCALES["tiny"])
    assert [row.name for row in chosen(rows, ["B8"])] == ["B1", "B2", "B4", "B5", "B8"]
    assert [row.name for row in chosen(rows, [])] == list(rows)
    with pytest.raises(ValueError, match="no row 'B99'"):
        chosen(rows, ["B99"])


def test_the_corpus_holds_real_events_that_can_be_multiplied() -> None:
    entries = corpus.entries(corpus.units(20))
    assert {one[3] for one in entries} >= {"claim.submitted", "claim.validated", "claim.assigned"}
    assert corpus.size(entries) > 600, "events of realistic size"
    again = corpus.copied(entries[0], 7)
    assert [len(part) for part in again] == [len(part) for part in entries[0]]
    assert (again[1], again[5]) != (entries[0][1], entries[0][5])
    assert again[6:] == entries[0][6:]


def test_a_run_is_written_as_table_json_and_chart(tmp_path: Path) -> None:
    board = Board()
    Consume().declare(board)
    board.put(rate_of(OURS), 40_000.0)
    board.put(rate_of(PEERS[0]), 10_000.0)
    written = write(board, CONDITIONS, tmp_path)
    assert [path.name for path in written] == ["latest.md", "latest.json", "consume.svg"]
    assert "| 4 x |" in written[0].read_text()
    content = msgspec.json.decode(written[1].read_bytes())
    assert content["figures"][rate_of(OURS)]["values"] == [40_000.0]
    assert content["conditions"]["load_average"] == [0.5, 0.4, 0.3]
    ET.parse(written[2])


def test_the_chart_draws_the_longest_bar_first() -> None:
    text = chart("t", "u", [("slow", Spread(10, 9, 11, 5), False), ("quick & dirty", Spread(900, 800, 950, 5), True)])
    assert text.index("quick &amp; dirty") < text.index("slow")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_make_bench_measures_a_row_and_writes_what_it_saw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rows", "B4", "--rounds", "1", "--scale", "tiny", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "round 1 of 1: B4" in told
    written = msgspec.json.decode((tmp_path / "latest.json").read_bytes())
    assert written["errors"] == {}
    assert {one["row"] for one in written["verdicts"]} == {"B4", "B5"}
    assert all(value > 0 for one in written["figures"].values() for value in one["values"])
    assert "| B4 | end to end |" in (tmp_path / "latest.md").read_text()


def test_a_row_that_does_not_exist_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rows", "B99"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("bench: there is no row 'B99'; there are: B1, ") and said.count("\n") == 1
