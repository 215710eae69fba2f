"""Every window of failure has a directed test, and the table of them is current."""

from __future__ import annotations

from tests.support.windows import TABLE_FILE, WINDOWS, shown_windows, table


def test_every_window_of_failure_has_a_test() -> None:
    shown = {one.window for one in shown_windows()}
    assert [name for name in WINDOWS if name not in shown] == []


def test_the_table_of_windows_is_current() -> None:
    hint = "run: python -m tests.support.windows > docs/failure-windows.md"
    assert TABLE_FILE.read_text(encoding="utf-8") == table(), hint
