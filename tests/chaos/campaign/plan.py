"""What a seed does, as data: a pure function of its number. The same number is the same plan for ever and anywhere.

Faults are dealt out like cards, so that a few seeds in a row exercise all of them: each round of seeds goes through a
shuffled deck, and a seed takes the next ones from it. What cannot stand beside others has seeds of its own (flavours).
"""

from __future__ import annotations

import random
from typing import Literal

import msgspec

from tests.chaos.campaign.scene import FAULTS

Flavour = Literal["mixed", "damage", "killer", "catch-up"]
Damage = Literal["trim", "delete", "forget", "rename", "flush", "overwrite"]

DAMAGES: tuple[Damage, ...] = ("trim", "delete", "forget", "rename", "flush", "overwrite")
EACH = 5
"""Faults of one seed: about a second each."""

DAMAGE_EVERY, KILLER_EVERY, CATCH_UP_EVERY = 10, 11, 7
"""Every so many seeds one of that flavour."""


class Plan(msgspec.Struct, frozen=True):
    """One seed. `slots` worker processes; with `processes` above 1 each is a parent of so many."""

    seed: int
    flavour: Flavour
    partitions: int
    fsync: Literal["always", "everysec", "no"]
    slots: int
    processes: int
    tcp: bool
    disk: bool
    """Is the store's directory a small file system of its own?"""
    faults: tuple[str, ...]
    damage: str = ""
    bank: bool = False
    """Is there a bank that pays? Only where the store fsyncs: from any other one no money leaves."""


SMALL = -1
"""The seed of the ordinary run: one plan that is written down, with little load."""


def _small() -> Plan:
    return Plan(
        seed=SMALL, flavour="mixed", partitions=2, fsync="always", slots=2, processes=1, tcp=True, disk=False,
        faults=(
            "entries that a handler cannot bear", "lose the reply of a settle", "destroy a group", "kill -9 the store",
            "stop a worker beyond its lease",
        ),
    )  # fmt: skip


HARD = 1_000_000
"""Seeds from here on strike at what the two atomic steps protect, again and again: for mutants of them."""

AT_THE_STEPS = (
    "set a group back to the beginning", "set a group back to the beginning", "set a group to the end",
    "destroy all groups of a log", "delete the consumers of a group", "stop a worker beyond its lease",
    "stop all workers beyond their lease", "lose the reply of a settle", "lose the reply of an append",
    "lose the reply of a read", "lose any reply", "entries that a handler cannot bear", "kill -9 the store",
)  # fmt: skip


def _hard(seed: int, without: frozenset[str]) -> Plan:
    chance = random.Random(f"hard {seed}")
    faults = [name for name in chance.sample(AT_THE_STEPS, len(AT_THE_STEPS)) if name not in without]
    return Plan(
        seed=seed, flavour="mixed", partitions=1, fsync="no", slots=2, processes=1, tcp=False, disk=False,
        faults=tuple(faults),
    )  # fmt: skip


def plan_of(seed: int, without: frozenset[str] = frozenset()) -> Plan:
    """The plan of a seed; a target may have to do without some faults."""
    if seed == SMALL:
        return _small()
    if seed >= HARD:
        return _hard(seed, without)
    chance = random.Random(f"claimstream campaign {seed}")
    flavour = _flavour(seed)
    if flavour == "damage" and "damage the log" in without:
        flavour = "mixed"
    faults = tuple(_dealt(seed, without)) if flavour == "mixed" else tuple(_fewer(seed, flavour, without))
    synced = any(FAULTS[name].flavour == "synced" for name in faults)
    parents = flavour == "mixed" and chance.random() < 0.15
    plan = Plan(
        seed=seed,
        flavour=flavour,
        partitions=chance.choice([1, 1, 4]),
        fsync=chance.choice(["always", "everysec"])
        if synced
        else chance.choice(["always", "always", "everysec", "no"]),
        slots=1 if parents else 2,
        processes=2 if parents else 1,
        tcp=chance.random() < 0.5,
        disk=any(FAULTS[name].flavour == "disk" for name in faults),
        faults=faults,
        damage=DAMAGES[(seed // DAMAGE_EVERY) % len(DAMAGES)] if flavour == "damage" else "",
    )
    bank = flavour == "mixed" and plan.fsync == "always" and chance.random() < 0.5
    return msgspec.structs.replace(plan, bank=bank)


def _flavour(seed: int) -> Flavour:
    if seed % DAMAGE_EVERY == DAMAGE_EVERY - 1:
        return "damage"
    if seed % KILLER_EVERY == KILLER_EVERY - 1:
        return "killer"
    return "catch-up" if seed % CATCH_UP_EVERY == CATCH_UP_EVERY - 1 else "mixed"


def _deck(without: frozenset[str]) -> list[str]:
    return [name for name, one in FAULTS.items() if name not in without and one.flavour not in ("damage", "killer")]


def _dealt(seed: int, without: frozenset[str]) -> list[str]:
    """The next faults of the deck. Seeds of a flavour of their own take none, and so skip none."""
    deck = _deck(without)
    before = sum(_flavour(earlier) == "mixed" for earlier in range(seed))
    found: list[str] = []
    for place in range(before * EACH, (before + 1) * EACH):
        order = list(deck)
        random.Random(f"deck {place // len(deck)}").shuffle(order)
        found.append(order[place % len(deck)])
    random.Random(f"order {seed}").shuffle(found)
    return found


def _fewer(seed: int, flavour: Flavour, without: frozenset[str]) -> list[str]:
    """Two ordinary faults, and what the flavour is about."""
    chance = random.Random(f"few {seed}")
    plain = [name for name in _deck(without) if not FAULTS[name].flavour]
    own = [name for name, one in FAULTS.items() if one.flavour == flavour and name not in without]
    return [*chance.sample(plain, 2 if flavour != "killer" else 1), *own]
