"""The counting of the seed rows: a row works only when everything that its check names was seen to pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.row_report import counts_line
from tests.support.row_states import ShownTest, State, row_states
from tests.support.rows import Row, load_rows, row

ROOT = Path(__file__).parents[2]


def shown(nodeid: str, *marked: str, passed: bool = True) -> ShownTest:
    file, _, name = nodeid.partition("::")
    return ShownTest(nodeid, (Path(file).name, name), marked, passed=passed)


def state(check: str, *tests: ShownTest, id_: str = "S7", others: tuple[Row, ...] = ()) -> State:
    return row_states((Row(id_, "title", check), *others), tests)[id_].state


def test_all_rows_of_the_seeds_are_there() -> None:
    ids = [row.id for row in load_rows().row]
    expected = [
        f"{letter}{n + 1}" for letter, size in zip("SMUPC", (95, 57, 46, 44, 36), strict=True) for n in range(size)
    ]
    assert sorted(ids) == sorted(expected)
    assert set(load_rows().promised) <= set(ids)
    assert {ref for row in load_rows().row for ref in row.references} <= set(ids)


def test_a_row_without_a_test_does_not_work() -> None:
    assert state("`cs ping` -> prints it") is State.NOT_YET


def test_a_row_works_by_a_test_named_by_its_id_in_the_folder_of_the_seeds_only() -> None:
    assert state("`cs ping`", shown("tests/seeds/test_s.py::test_s7_ping_answers")) is State.WORKS
    assert state("`cs ping`", shown("tests/seeds/test_s.py::test_s70_reports")) is State.NOT_YET
    assert state("`cs ping`", shown("tests/runtime/test_x.py::test_s7_ping_answers")) is State.NOT_YET


def test_a_row_works_by_a_marked_test_anywhere() -> None:
    assert state("`cs ping`", shown("tests/runtime/test_x.py::test_ping", "S7")) is State.WORKS


def test_one_failed_test_makes_the_row_fail() -> None:
    good = shown("tests/seeds/test_s.py::test_s7_ping")
    bad = shown("tests/seeds/test_s.py::test_s7_off", passed=False)
    assert state("`cs ping`", good, bad) is State.FAILS


def test_a_row_about_folders_works_when_every_test_in_them_passed() -> None:
    check = "`pytest tests/domain tests/runtime`"
    one, two = shown("tests/domain/test_a.py::test_a"), shown("tests/runtime/x/test_b.py::test_b")
    assert state(check, one, two) is State.WORKS
    assert state(check, one) is State.NOT_YET
    assert state(check, one, two, shown("tests/domain/test_a.py::test_c", passed=False)) is State.FAILS


def test_every_pattern_of_a_check_has_to_be_found() -> None:
    check = "`T resumes`, `T heals`"
    resumes = shown("tests/runtime/test_x.py::test_a_reader_resumes")
    heals = shown("tests/runtime/test_heals.py::test_a_lost_group")
    assert state(check, resumes) is State.NOT_YET
    assert state(check, resumes, heals) is State.WORKS


def test_a_check_with_a_command_is_not_shown_by_its_pattern_alone() -> None:
    check = "`cs bench`; `T failover_budget`"
    pattern = shown("tests/runtime/test_x.py::test_failover_budget")
    assert state(check, pattern) is State.NOT_YET
    assert state(check, pattern, shown("tests/seeds/test_s.py::test_s7_bench")) is State.WORKS


def test_a_check_that_names_other_rows_is_as_good_as_they_are() -> None:
    other = Row("S44", "rebuild", "`cs rebuild`")
    rebuilt = shown("tests/seeds/test_s.py::test_s44_rebuild")
    assert state("S44", others=(other,)) is State.NOT_YET
    assert state("S44", rebuilt, others=(other,)) is State.WORKS
    assert state("S7", id_="S7") is State.NOT_YET


def test_the_mark_refuses_a_row_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="S96"):
        row("S96")


def test_failures_are_counted_apart_from_rows() -> None:
    states = row_states(
        (Row("S7", "a", "x"), Row("S8", "b", "x"), Row("C1", "c", "x")),
        (shown("tests/seeds/test_s.py::test_s7_a"), shown("tests/seeds/test_s.py::test_c1_a")),
    )
    assert counts_line(states.values()) == "seed rows: 1 of 2 work, 1 of 1 failures excluded"


def test_the_checked_in_table_is_current(tmp_path: Path) -> None:
    fresh = tmp_path / "seed-rows.md"
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-m", "not chaos and not bench and not deploy"]
    done = subprocess.run(
        [*command, f"--seed-rows-as-collected={fresh}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = ROOT / "docs" / "seed-rows.md"
    assert table.read_text(encoding="utf-8") == fresh.read_text(encoding="utf-8"), "run `make seed-rows`"
