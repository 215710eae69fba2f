"""The state table in code against the table that was decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from domain import commands
from domain.deciding import STEPS
from domain.events import EVENTS, SEED_TYPES
from domain.guards import GUARDS
from domain.transitions import ANY, CONDITIONS, EVENT_TYPES, HANDLED, OPEN, PREDECISION, RESTING, TABLE, State

DECIDED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "claim_state_machine.json").read_text(encoding="utf-8")
)


def _sources(names: list[str | None]) -> list[str | None]:
    """The states of a row of the JSON, with its groups spelt out."""
    found: list[str | None] = []
    for name in names:
        if name is not None and name.startswith("@"):
            found += DECIDED["groups"][name[1:]]
        else:
            found.append(name)
    return found


def test_every_row_of_the_decided_table_is_in_the_code_and_no_other() -> None:
    decided = [
        (
            _sources(row["from"]),
            row["event"],
            None if row["to"] == "=" else row["to"],
            row["command"],
            row["guards"],
            row.get("when", ""),
        )
        for row in DECIDED["transitions"]
    ]
    coded = [(list(r.sources), r.event, r.to, r.command, list(r.guards), r.when) for r in TABLE]
    assert coded == decided
    assert len(TABLE) == 47


def test_states_and_groups_are_the_decided_ones() -> None:
    assert [state.value for state in State] == DECIDED["states"]
    assert list(PREDECISION) == DECIDED["groups"]["OPEN_PREDECISION"]
    assert list(OPEN) == DECIDED["groups"]["OPEN"]
    assert list(HANDLED) == DECIDED["groups"]["HANDLED"]
    assert list(ANY) == DECIDED["groups"]["ANY"]
    assert list(RESTING) == DECIDED["resting"]


def test_there_are_31_event_types_and_each_has_a_body() -> None:
    assert len(EVENT_TYPES) == 31
    assert set(EVENT_TYPES) <= set(EVENTS)
    assert {row["event"] for row in DECIDED["transitions"] if row.get("seed")} == set(SEED_TYPES)


def test_every_guard_of_the_table_is_there() -> None:
    assert set(DECIDED["guards"]) == set(GUARDS) | {"G01"}
    assert {name for row in TABLE for name in row.guards} == set(DECIDED["guards"])


def test_every_command_of_the_table_has_a_struct_and_a_way_to_facts() -> None:
    named = {row.command for row in TABLE} - {"(scheduler)"}
    assert named <= set(commands.COMMANDS)
    for name in named - {"SubmitClaim"}:
        step = STEPS[commands.COMMANDS[name]]
        assert step.event in {row.event for row in TABLE if row.command == name}


def test_every_condition_of_the_table_can_be_asked() -> None:
    assert {row.when for row in TABLE} == set(CONDITIONS)


def test_every_state_is_reachable_and_can_reach_closed() -> None:
    edges: dict[State | None, set[State]] = {}
    for row in TABLE:
        for source in row.sources:
            if row.to is not None:
                edges.setdefault(source, set()).add(row.to)
    assert _reachable(None, edges) >= set(State)
    for state in State:
        assert State.CLOSED in _reachable(state, edges) | {state}


def _reachable(start: State | None, edges: dict[State | None, set[State]]) -> set[State]:
    found: set[State] = set()
    waiting = [start]
    while waiting:
        for state in edges.get(waiting.pop(), set()) - found:
            found.add(state)
            waiting.append(state)
    return found
