"""The adjusters as a file: what it may say, and how each mistake is named."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from domain.roster import Absence, role_on
from tests.support.commands import cli
from tests.support.notices import auto_row, claims_cluster
from workers.adapters.roster_file import RosterError, load_roster
from workers.importing import Importer

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.store.address import StoreAddress

GOOD = """
version = 3
[[adjuster]]
id = "ADJ-001"
jurisdictions = ["OH", "IN"]
lines = ["motor"]
skill = "COMPLEX"
role = "senior_adjuster"
capacity = 40
licensed_until = 2027-01-31
[[adjuster.absence]]
first = 2025-07-01
last = 2025-07-14
"""

STORM = """
[[catastrophe]]
code = "STORM-1"
jurisdictions = ["OH"]
first = 2025-02-01
last = 2025-02-28
until = 2025-04-30
adjusters = ["ADJ-001"]
perils = ["hail"]
longer = { decide = 90 }
"""

DELEGATED = """
[[adjuster.delegation]]
role = "claims_manager"
first = 2025-03-01
last = 2025-03-31
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "roster.toml"
    path.write_text(text)
    return path


def test_a_roster_says_licences_skill_role_capacity_and_absences(tmp_path: Path) -> None:
    staff = load_roster(written(tmp_path, GOOD))
    (adjuster,) = staff.roster.adjusters
    assert staff.roster.version == 3
    assert staff.roles == {"ADJ-001": "senior_adjuster"}
    assert adjuster.absences == (Absence(date(2025, 7, 1), date(2025, 7, 14)),)
    assert (adjuster.skill, adjuster.capacity, adjuster.licensed_until) == ("COMPLEX", 40, date(2027, 1, 31))


def test_a_roster_says_delegations_and_catastrophes_with_their_group_and_their_order(tmp_path: Path) -> None:
    staff = load_roster(written(tmp_path, GOOD + DELEGATED + STORM))
    assert staff.people["ADJ-001"] == ("senior_adjuster", "claims_manager")
    assert role_on(staff.roster, "ADJ-001", date(2025, 3, 31)) == "claims_manager"
    assert role_on(staff.roster, "ADJ-001", date(2025, 4, 1)) == "senior_adjuster"
    (storm,) = staff.roster.catastrophes
    assert storm.holds("OH", "hail", date(2025, 2, 28), "") and not storm.holds("OH", "fire", date(2025, 2, 28), "")
    assert [(order.clock, order.length, order.last) for order in staff.orders] == [("decide", 90, date(2025, 4, 30))]


def test_the_roster_that_comes_along_is_one() -> None:
    staff = load_roster()
    assert len(staff.roster.adjusters) == 16
    assert set(staff.roles) == {adjuster.adjuster_id for adjuster in staff.roster.adjusters}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (GOOD.replace("version = 3", "version = 0"), "version is 0"),
        (GOOD.replace("COMPLEX", "EXPERT"), "adjuster 1 (ADJ-001), field skill: it is 'EXPERT': expected one of FAST"),
        (GOOD.replace("capacity = 40", "capacity = -1"), "adjuster 1 (ADJ-001), field capacity: it is -1"),
        (GOOD.replace("capacity = 40", "capacity = 4.5"), "field capacity: it is 4.5"),
        (GOOD.replace("capacity = 40\n", ""), "adjuster 1 (ADJ-001), field capacity: it is missing"),
        (GOOD.replace("capacity", "capacty"), "field capacty: there is no such field: did you mean capacity?"),
        (GOOD.replace('["motor"]', '["marine"]'), "field lines[0]: it is ['marine']: expected some of motor"),
        (GOOD.replace('["OH", "IN"]', "[]"), "field jurisdictions: it is []"),
        (GOOD.replace('"ADJ-001"', '"ADJ 001"'), "field id: it is 'ADJ 001': expected letters"),
        (GOOD.replace("last = 2025-07-14", "last = 2025-06-14"), "it ends on 2025-06-14, before it begins"),
        (GOOD.replace("first = 2025-07-01\n", ""), "absence[0].first: it is missing"),
        (GOOD.replace("2027-01-31", "2027-02-31"), "not TOML"),
        (GOOD + GOOD.split("version = 3")[1], "adjuster 2, field id: ADJ-001 is adjuster 1 already"),
        ("version = 1", "there is no adjuster"),
        (GOOD.replace("version = 3", "version = 3\nowner = 1"), "unknown key 'owner'"),
        ("version = ", "not TOML"),
        (GOOD.replace("version = 3", "version = 3\ncatastrophe = 4"), "catastrophe is 4: write a [[catastrophe]]"),
        (
            GOOD + STORM.replace("ADJ-001", "ADJ-777"),
            "catastrophe 1 (STORM-1), field adjusters: ADJ-777 is no adjuster",
        ),
        (GOOD + STORM.replace("last = 2025-02-28", "last = 2025-01-28"), "field last: it ends on 2025-01-28, before"),
        (GOOD + STORM.replace("decide", "deicde"), "catastrophe 1 (STORM-1), field longer"),
        (GOOD.replace("capacity = 40", 'capacity = 40\nreports_to = "ADJ-777"'), "reports_to: ADJ-777 is no other"),
        (GOOD.replace("capacity = 40", 'capacity = 40\nreports_to = "ADJ-001"'), "reports_to: ADJ-001 is no other"),
        (GOOD + DELEGATED.replace("2025-03-31", "2025-02-28"), "field delegation: it ends on 2025-02-28"),
    ],
)
def test_a_mistake_in_the_roster_is_named_by_file_entry_and_field(tmp_path: Path, wrong: str, said: str) -> None:
    path = written(tmp_path, wrong)
    with pytest.raises(RosterError) as raised:
        load_roster(path)
    assert said in str(raised.value)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_a_roster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RosterError, match="cannot read the roster"):
        load_roster(tmp_path / "none.toml")


async def test_adjusters_lists_everybody_with_the_load_that_they_carry(
    store_address: StoreAddress, tmp_path: Path
) -> None:
    async with claims_cluster(store_address, tmp_path) as cluster:
        await Importer(cluster.app).portfolio([auto_row("POL-521585")])
        await cluster.at_rest()
    said = cli("adjusters", "--json", url=str(store_address.url))
    assert said.code == 0, said.err
    assert sum(row["load"] for row in said.json["adjusters"]) == 5
    assert {row["role"] for row in said.json["adjusters"]} == {"adjuster_ii"}
    people = cli("adjusters", url=str(store_address.url))
    assert "ADJ-016" in people.out


def test_a_wrong_roster_ends_a_command_with_one_line(store_address: StoreAddress, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("COMPLEX", "EXPERT"))
    said = cli("adjusters", url=str(store_address.url), env={"CLAIMSTREAM_ROSTER__FILE": str(path)})
    assert said.code == 2
    assert "field skill" in said.one_line()
