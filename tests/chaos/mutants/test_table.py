"""The table of mutants is whole and fits the source: `make mutants` runs it, this only reads it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.chaos.mutants.running import Cases, _noticed
from tests.chaos.mutants.table import MORE, MUTANTS, ROWS
from tests.chaos.mutants.variant import STORIES
from tests.runtime.store.test_mutants import MUTANTS as OF_THE_ORDINARY_RUN
from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from tests.chaos.mutants.variant import Mutant

TEXT_MUTANTS = [one for one in MUTANTS if not one.story]


def test_every_row_of_the_guarantees_has_all_its_mutants() -> None:
    have = Counter(one.row for one in MUTANTS)
    assert {row: have[row] for row in ROWS if have[row] < ROWS[row]} == {}
    assert set(have) - set(ROWS) == {MORE}
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)


def test_every_mutant_of_the_ordinary_run_is_in_the_table() -> None:
    assert {one.name for one in MUTANTS if one.story} == set(OF_THE_ORDINARY_RUN)


@pytest.mark.parametrize("mutant", TEXT_MUTANTS, ids=lambda one: one.name)
def test_a_mutant_still_finds_its_words_in_the_source(mutant: Mutant) -> None:
    texts: dict[str, str] = {}
    for change in mutant.changes:
        text = texts.get(change.file) or (ROOT / change.file).read_text(encoding="utf-8")
        texts[change.file] = change.applied_to(text)
    for name, text in texts.items():
        if name.endswith(".py"):
            ast.parse(text)


@pytest.mark.parametrize("mutant", TEXT_MUTANTS, ids=lambda one: one.name)
def test_a_mutant_names_tests_that_exist(mutant: Mutant) -> None:
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")
    assert STORIES.partition("::")[2] in (ROOT / STORIES.partition("::")[0]).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_make_mutants_breaks_the_source_in_a_copy_and_reports_what_noticed() -> None:
    """One of them, from beginning to end; `make mutants` runs all. It takes eight seconds."""
    (one,) = [one for one in TEXT_MUTANTS if one.name == "append forgets the history index"]
    before = (ROOT / one.changes[0].file).read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.mutants", "--only", one.name, "--jobs", "1", "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    (told,) = json.loads(done.stdout)
    assert (done.returncode, told["verdict"], told["invariant"]) == (0, "red", one.invariant), done.stderr
    assert (ROOT / one.changes[0].file).read_bytes() == before


def test_a_mutant_that_nobody_noticed_or_that_does_not_run_is_not_red() -> None:
    mutant = TEXT_MUTANTS[0]
    (test,) = mutant.tests
    assert _noticed(mutant, {test: Cases(0, 1, "AssertionError: 2 == 1")})[0] == "red"
    assert _noticed(mutant, {test: Cases(1, 0)})[0] == "SURVIVED"
    assert _noticed(mutant, {test: Cases(0, 1, "SyntaxError: nothing runs")})[0] == "UNSOUND"
    assert _noticed(mutant, {})[0] == "UNSOUND"
