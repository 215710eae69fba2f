"""What a table may do to what it shows."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from tests.support.commands import here
from workers.cli.output import table


def drawn(width: int, name: str, backlog: int) -> str:
    """A table with a long name and a figure, on a terminal of this width."""
    page = StringIO()
    made = table(("name", "backlog"), [(name, backlog)], right=("backlog",), whole=("name",))
    Console(file=page, width=width, markup=False).print(made)
    return page.getvalue()


def test_a_narrow_terminal_never_shortens_a_figure() -> None:
    page = drawn(30, "cache-invalidators-of-a-long-name", 1_234_567_890_123)
    assert "1234567890123" in page
    assert "…" in page, "and what is shortened shows that it is"


def test_a_table_escapes_what_would_steer_the_terminal() -> None:
    assert "\x1b" not in drawn(80, "red\x1b[31m", 1)


def test_the_master_key_in_the_environment_is_no_unknown_setting() -> None:
    said = here("ping", url="redis://127.0.0.1:1", env={"CLAIMSTREAM_MASTER_KEY": "c2VjcmV0"})
    assert "master_key" not in said.err
    assert said.code == 1
