"""`submit FILE` without a cluster: what goes in, what is told, and that the same file adds nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lab import said
from workers.adapters.auto_portfolio import SAMPLE, portfolio
from workers.submissions import encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runtime.store.clients import StoreAddress
    from tests.support.commands import Said


@pytest.fixture
def submit(store_address: StoreAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Said]:
    monkeypatch.chdir(tmp_path)
    return lambda path: said("submit", str(path), "--json", "--redis-url", str(store_address.url))


def lines(count: int) -> list[bytes]:
    return [encode(row.submission) for row in portfolio(count)]


def figures(done: Said) -> tuple[int, int, int, int]:
    told: dict[str, Any] = done.json
    return told["lines"], told["added"], told["known"], told["bad"]


def test_the_same_file_twice_adds_nothing(submit: Callable[[Path], Said]) -> None:
    first = submit(SAMPLE)
    assert (first.code, figures(first)) == (0, (1000, 1000, 0, 0))
    again = submit(SAMPLE)
    assert (again.code, figures(again)) == (0, (1000, 0, 1000, 0))


def test_bad_lines_are_told_by_number_and_the_others_go_in(submit: Callable[[Path], Said], tmp_path: Path) -> None:
    good = lines(3)
    unknown = json.dumps(json.loads(good[0]) | {"polcyNumber": "x"}).encode()
    path = tmp_path / "claims.jsonl"
    path.write_bytes(b"\n".join([good[0], b"\x00\xff binary", good[1], unknown, b"", b"{" + b"x" * 300_000, good[2]]))
    done = submit(path)
    assert (done.code, figures(done)) == (2, (6, 3, 0, 3))
    bad = {one["line"]: one["reason"] for one in done.json["bad_lines"]}
    assert sorted(bad) == [2, 4, 6]
    assert "no JSON object" in bad[2]
    assert "did you mean `policyNumber`" in bad[4]
    assert "longer than" in bad[6]


def test_bad_rows_of_a_csv_are_told_by_number(submit: Callable[[Path], Said], tmp_path: Path) -> None:
    rows = SAMPLE.read_text(encoding="utf-8").splitlines()
    rows[3] = rows[3].replace("Collision", "Collusion")
    rows[5] = "x" * 300_000
    path = tmp_path / "auto.csv"
    path.write_text("\n".join(rows[:9]) + "\n", encoding="utf-8")
    done = submit(path)
    assert (done.code, figures(done)) == (2, (8, 6, 0, 2))
    assert [one["line"] for one in done.json["bad_lines"]] == [4, 6]


def test_a_submission_that_the_rules_refuse_is_told_by_its_line(submit: Callable[[Path], Said], tmp_path: Path) -> None:
    first, second = (json.loads(line) for line in lines(2))
    second["reporterRole"] = "passer-by"
    path = tmp_path / "claims.jsonl"
    path.write_text(json.dumps(first) + "\n" + json.dumps(second) + "\n")
    done = submit(path)
    assert (done.code, figures(done)) == (2, (2, 1, 0, 1))
    (bad,) = done.json["bad_lines"]
    assert bad["line"] == 2
    assert "passer-by" in bad["reason"]


@pytest.mark.parametrize("content", [b"hello\nworld\n", b"\x89PNG\r\n\x1a\n\x00\x00", b"a,b,c\n1,2,3\n"])
def test_a_file_of_something_else_is_refused_in_one_line(
    submit: Callable[[Path], Said], tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    done = submit(path)
    assert done.code == 2
    assert "neither" in done.err


def test_an_empty_file_adds_nothing(submit: Callable[[Path], Said], tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    done = submit(path)
    assert (done.code, figures(done)) == (0, (0, 0, 0, 0))


def test_a_file_that_is_not_there_is_one_line(submit: Callable[[Path], Said], tmp_path: Path) -> None:
    done = submit(tmp_path / "none")
    assert done.code == 2
    assert "No such file" in done.err
