"""Broken variants of the product, switched on by the environment of a test build: never in production.

`CLAIMSTREAM_TEST_MUTANT=NAME`. A mutant of the library is a change of its text; one of the runtime is a function that
patches it. `--mutant NAME` gives the variable to every worker and client of a campaign, whose checker has to notice.
Add one by a line in `runtime_mutants`, or to the table of the library's mutants in `tests/runtime/store`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "CLAIMSTREAM_TEST_MUTANT"


def break_as_told() -> None:
    """Break this process as the environment says; nothing when it says nothing. Raises `KeyError`."""
    name = os.environ.get(VARIABLE)
    if not name:
        return
    runtime = runtime_mutants()
    if name in runtime:
        runtime[name]()
        return
    text = _library(name)
    from runtime.store import functions

    functions.library_source.cache_clear()
    vars(functions)["library_source"] = lambda: text


def names() -> list[str]:
    """Every mutant that a campaign can be run with."""
    from tests.runtime.store.test_mutants import MUTANTS

    return [*MUTANTS, *runtime_mutants()]


def _library(name: str) -> str:
    from tests.runtime.store.test_mutants import MUTANTS, mutated

    return mutated(MUTANTS[name][1])


def runtime_mutants() -> dict[str, Callable[[], None]]:
    """Name -> what breaks the runtime in this process."""
    return {
        "no idle check": _no_idle_check,
        "a projection forgets every tenth batch": _forgets_effects,
        "a park does not hold the claim": _park_without_hold,
    }


def _no_idle_check() -> None:
    from runtime.serving.runner import Runner

    async def nothing(self: Any, *args: Any) -> None:
        del self, args

    Runner._look_while_idle = nothing  # type: ignore[method-assign]


def _forgets_effects() -> None:
    from workers.analytics import Analytics

    handle, count = Analytics.handle, 0

    async def forgetful(self: Any, batch: Any) -> Any:
        nonlocal count
        count += 1
        wanted = await handle(self, batch)
        return wanted[1:] if count % 10 == 0 else wanted

    Analytics.handle = forgetful  # type: ignore[method-assign]


def _park_without_hold() -> None:
    from runtime.serving import triage as module
    from runtime.serving import work

    triage = module.triage

    def deliver_all(entries: Any, actor: Any, held: Any, known: Any) -> Any:
        del held
        return triage(entries, actor, {}, known)

    work.triage = deliver_all  # type: ignore[attr-defined]
