"""The part of pytest that gathers what the tests showed of the seed rows. Registered by `tests/conftest.py`.

`--write-seed-rows` writes docs/seed-rows.md after a run of the whole suite; `--seed-rows-as-collected FILE`
writes to FILE what that table would be if every collected test passed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.row_report import counts_line, missing_lines, render
from tests.support.row_states import RowState, ShownTest, row_states
from tests.support.rows import load_rows

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

SHOWN = "shown of the seed rows"
"""Name of the property that carries names and rows of a test with its reports."""

TABLE = Path(__file__).parents[2] / "docs" / "seed-rows.md"


def add_options(parser: pytest.Parser) -> None:
    """Declare the two options; called by the conftest, because a plugin registered later comes too late."""
    group = parser.getgroup("seed rows")
    group.addoption("--write-seed-rows", action="store_true", help="write docs/seed-rows.md")
    group.addoption("--seed-rows-as-collected", metavar="FILE", help="write the table as if all passed")


def is_whole_run(config: pytest.Config) -> bool:
    """True when neither paths nor -k narrow the run: only then do counts mean anything."""
    from_ini = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return from_ini and not config.getoption("keyword")


def shown_test(item: pytest.Item) -> ShownTest:
    """What the rows need to know of one collected test; it counts as passed until it says otherwise."""
    names = tuple(node.name for node in item.listchain() if not isinstance(node, pytest.Session | pytest.Directory))
    names = (*names[:-1], getattr(item, "originalname", None) or item.name)
    marked = tuple(id_ for mark in item.iter_markers("row") for id_ in mark.args)
    return ShownTest(item.nodeid, names, marked)


def in_order(tests: dict[str, ShownTest]) -> list[ShownTest]:
    """By name: with several processes the order of the reports is another one each time."""
    return [tests[name] for name in sorted(tests)]


class RowCollector:
    """Remembers how each test ended, and tells at the end of a whole run which rows work."""

    def __init__(self, config: pytest.Config) -> None:
        """`config` says what is run."""
        self._config = config
        self._tests: dict[str, ShownTest] = {}
        self._passed: set[str] = set()
        self._not_passed: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take the tests that are going to run, after every selection."""
        self._tests = {item.nodeid: shown_test(item) for item in session.items}
        path = self._config.getoption("seed_rows_as_collected")
        if path:
            Path(path).write_text(render(row_states(load_rows().row, in_order(self._tests))), encoding="utf-8")

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Let the reports of a test say what the rows need to know of it: it may run in another process."""
        shown = shown_test(item)
        item.user_properties.append((SHOWN, [list(shown.names), list(shown.marked)]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test is passed when it was called and passed, and neither setup nor teardown failed."""
        for name, value in report.user_properties:
            if name == SHOWN and isinstance(value, list):
                names, marked = value
                self._tests[report.nodeid] = ShownTest(report.nodeid, tuple(names), tuple(marked))
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)
        elif not report.passed:
            self._not_passed.add(report.nodeid)

    def states(self) -> dict[str, RowState]:
        """The state of every row after this run."""
        passed = self._passed - self._not_passed
        tests = (
            ShownTest(test.nodeid, test.names, test.marked, passed=test.nodeid in passed)
            for test in in_order(self._tests)
        )
        return row_states(load_rows().row, tests)

    def pytest_sessionfinish(self) -> None:
        """Write the table when asked to; a narrowed run knows too little for it."""
        if not self._config.getoption("write_seed_rows") or self._config.getoption("collectonly"):
            return
        if hasattr(self._config, "workerinput"):
            return  # one of several processes: the one that gathers all reports writes
        if not is_whole_run(self._config):
            raise pytest.UsageError("--write-seed-rows needs a run of the whole suite: no paths and no -k")
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(render(self.states()), encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print the counts, and what is missing from the promise."""
        if not is_whole_run(self._config) or self._config.getoption("collectonly"):
            return
        states = self.states()
        terminalreporter.section("seed rows")
        for line in (*missing_lines(states), counts_line(states.values())):
            terminalreporter.write_line(line)
