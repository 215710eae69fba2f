"""What a broken variant is: which words of the source change, and which directed test has to notice.

The words of a change must stand in their file exactly once: a mutant whose subject is gone is a failure of the run.
"""

from __future__ import annotations

from typing import NamedTuple

STORIES = "tests/runtime/store/test_mutants.py::test_a_library_without_one_of_its_checks_breaks_its_promise"
"""The mutants of the ordinary run: each is green when its broken library breaks the story, so green counts as red."""


class Change(NamedTuple):
    """One change of text in one file of the tree."""

    file: str
    old: str
    new: str

    def applied_to(self, text: str) -> str:
        """The text with this change. Raises `LostSubject`."""
        if text.count(self.old) != 1:
            raise LostSubject(f"{self.file}: these words are there {text.count(self.old)} times: {self.old[:120]!r}")
        return text.replace(self.old, self.new)


class LostSubject(Exception):
    """The source was changed, and the mutant does not fit it any more."""


class Mutant(NamedTuple):
    """One broken variant of guarantees.md, section (e)."""

    row: str
    """The row of section (e), by its first words."""
    name: str
    changes: tuple[Change, ...]
    invariant: str
    tests: tuple[str, ...]
    """Test ids; each has to be red. Of one that stands for several cases one red case is enough."""
    story: bool = False
    """It is one of the ordinary run, which breaks the library itself; `tests` are green when it was noticed."""


def story(row: str, name: str, invariant: str) -> Mutant:
    """A mutant of tests/runtime/store/test_mutants.py."""
    return Mutant(row, name, (), invariant, (f"{STORIES}[{name}]",), story=True)


LUA = "runtime/store/lua/"
STORE, SERVING = "tests/runtime/store/", "tests/runtime/serving/"


def lua(file: str, old: str, new: str) -> Change:
    """A change of the function library."""
    return Change(LUA + file, old, new)
