"""The moments at which a cluster can be hit, what is promised for each, and the tests that show it.

A test says with `@window("W8")` which of them it goes through. `python -m tests.support.windows` prints the table of
`docs/failure-windows.md`; tests/architecture/test_windows.py keeps it current and finds a window without a test. The
marks are read from the source, so the table also names tests of the long campaigns.
"""

from __future__ import annotations

import ast
import functools
import sys
from typing import NamedTuple

import pytest

from tests.support.source_tree import ROOT

WINDOWS: dict[str, tuple[str, str]] = {
    "W1": ("append sent, its reply lost", "asked again with the same command id: the first result"),
    "W2": ("the client library repeats by itself", "it never does; only what is safe to repeat is repeated, by us"),
    "W3": ("an append repeated after its command id was forgotten", "the expected version refuses it"),
    "W4": ("two writers decide on one claim", "one winner for each version"),
    "W5": ("confirmed, then the power fails", "nothing confirmed is lost with `appendfsync always`"),
    "W6": ("confirmed, not replicated, then a failover", "confirmed means WAIT; a short count is unknown, asked again"),
    "W7": ("two masters for a while", "reader and commands that disagree are both dropped"),
    "W8": ("the reply of a read is lost, late or cancelled", "the next settle answers GAP; the entries are read again"),
    "W9": ("the tail was read by a consumer that died", "an empty read that should not be one: resync"),
    "W10": ("FENCED with batches in the buffer", "buffer and memory are forgotten"),
    "W11": ("an owner was paused beyond its lease", "FENCED, no effect; it goes on only with a lease"),
    "W12": ("two runners both believe that they own", "the position lets one of them through"),
    "W13": ("a zombie moves the cursor late", "resync reads the position itself: nothing stays pending"),
    "W14": ("a crash after the handler, before settle", "nothing was written; it is done again"),
    "W15": ("settle sent, its reply lost", "position and token tell whether it happened"),
    "W16": ("the packet of an old settle arrives late", "FENCED"),
    "W17": ("an error inside the function after a write", "all is checked before; else TORN, and the partition stops"),
    "W18": ("a crash between settle and the next read", "resync at the start"),
    "W19": ("a handler fails on one entry", "found by bisection, tried again, parked; the rest goes on"),
    "W20": ("an entry kills the process", "suspected after two deaths, parked after dying alone"),
    "W21": ("a process dies for another reason", "nothing is parked for it"),
    "W22": ("events of a claim behind a parked one", "held behind it, retried in order"),
    "W23": ("the store refuses for a while: OOM, MISCONF, READONLY ...", "back-off; never counted, never parked"),
    "W24": ("the store is full", "appends are refused first; settles drain it"),
    "W25": ("a group is destroyed, a consumer deleted", "made again at the position"),
    "W26": ("the stream is gone, or another store answers", "halted; appends are refused too"),
    "W27": ("trimmed past a position", "LOST, halted"),
    "W28": ("the position record is gone", "LOST; never read as the beginning"),
    "W29": ("the store was rolled back as a whole", "a witness halts the partition"),
    "W30": ("the same id with other content", "the first eventId is compared"),
    "W31": (
        "a malformed, foreign or forged raw entry",
        "a request is checked; what no append wrote is noticed",
    ),
    "W32": ("a producer sends a raw entry twice", "its eventId is the command id"),
    "W33": ("a guard fails again and again on a busy claim", "computed again with half the batch, at last with one"),
    "W34": ("the claim moved on before the processor came", "no-op with a reason, no poison"),
    "W35": (
        "an outside effect is done, its outcome not recorded",
        "the same key again; money is never sent twice",
    ),
    "W36": ("an outside effect for an event that is then lost", "the attempt is durable before the call"),
    "W37": ("a dispatcher that wakes up", "its mark and its outcome are FENCED"),
    "W38": ("one recipient fails and fails", "it moves to the retries; the others are not late"),
    "W39": ("a timer fires twice, or never", "its command id is its identity; removed in the same append"),
    "W40": ("a slow fill of a cache after an invalidation", "the older version is refused"),
    "W41": ("one command over two partitions", "a command id for each; every step may be repeated"),
    "W42": ("a slot moves", "all keys are declared: refused before any write, then resolved again"),
    "W43": ("old and new code together", "readers first; functions carry versions"),
    "W44": ("a projection is rebuilt", "beside the live one, then switched"),
    "W45": ("archived, not settled", "the surplus is cut at the start"),
    "W46": ("the drain budget ends", "what is unfinished is not settled, and reported"),
    "W47": ("the store is away for minutes", "not ready, but alive: waiting is no failure"),
    "W48": ("the clock jumps", "leases end early or late; what is safe never asks the time"),
}
"""Id -> what happens, what is promised for it."""

TABLE_FILE = ROOT / "docs" / "failure-windows.md"

HEAD = """\
# The windows of failure, and the tests that go through them

A window is a moment at which a process, a connection, the store or its disk can fail. Each has a promise and at least
one directed test; random campaigns come on top, because some windows stay closed in them for a long time.

Written by `python -m tests.support.windows` from the marks of the tests; a test keeps it current. Tests under
`chaos` may belong to the long campaigns only.

| window | what happens | what is promised | shown by |
|---|---|---|---|
"""


class Shown(NamedTuple):
    """A test that goes through a window."""

    window: str
    label: str


def window(*ids: str) -> pytest.MarkDecorator:
    """Mark a test as going through these windows: `@window("W8")`."""
    unknown = [id_ for id_ in ids if id_ not in WINDOWS]
    if unknown or not ids:
        raise ValueError(f"no such window: {', '.join(unknown) or '(none given)'}")
    return pytest.mark.window(*ids)


@functools.cache
def shown_windows() -> tuple[Shown, ...]:
    """What the source of the tests says, by file and line."""
    found: list[Shown] = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = path.relative_to(ROOT / "tests").as_posix()
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found += [Shown(one, f"{inside}::{node.name}") for mark in node.decorator_list for one in _ids(mark)]
    return tuple(found)


def _ids(mark: ast.expr) -> list[str]:
    """The ids of a `@window(...)` mark."""
    if not (isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "window"):
        return []
    return [arg.value for arg in mark.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]


def table() -> str:
    """The document."""
    rows = [HEAD]
    for name, (what, promise) in WINDOWS.items():
        tests = "<br>".join(f"`{one.label}`" for one in shown_windows() if one.window == name)
        rows.append(f"| {name} | {what} | {promise} | {tests} |\n")
    return "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(table())
