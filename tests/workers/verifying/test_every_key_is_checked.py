"""Every key that the key module can name is looked at: something strange in it turns `verify` red."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from runtime.store.keys import Keyspace
from tests.support.small_cluster import SmallStore, small_application
from tests.support.store import command
from workers.keys import ClaimKeys, claim_log
from workers.verifying import verify

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from runtime.store.clients import StoreAddress

STRANGER = "STRANGER-1"

FAMILIES = sorted(name for name in vars(ClaimKeys) if not name.startswith("_") and name != "name")
"""The members of the key module, each a family of keys."""

PLANTED: dict[str, tuple[Any, ...]] = {
    "hash": ("HSET", STRANGER, 1),
    "sorted set": ("ZADD", 1, STRANGER),
    "set": ("SADD", STRANGER),
    "list": ("RPUSH", STRANGER),
    "stream": ("XADD", "*", "eventId", STRANGER),
    "string": ("SET", STRANGER),
    "integer": ("SET", 7),
    "a view": ("HSET", STRANGER, 1),
}
"""How a docstring of the key module names a type -> what is put there that no fact explains."""


def key_of(family: str) -> str:
    """A key of the family."""
    keys = ClaimKeys(Keyspace(claim_log(1)), 0)
    if isinstance(vars(ClaimKeys)[family], property):
        return str(getattr(keys, family))
    argument: Any = ("kpi", STRANGER) if family == "figures" else STRANGER
    return str(getattr(keys, family)(argument))


def kind_of(family: str) -> str:
    """The type of the family, as its docstring says."""
    said = (inspect.getdoc(vars(ClaimKeys)[family]) or "").lower()
    found = [kind for kind in PLANTED if said.startswith(kind)]
    assert found, f"the docstring of ClaimKeys.{family} does not begin with a type: {', '.join(PLANTED)}"
    return max(found, key=len)


@pytest.mark.parametrize("family", FAMILIES)
async def test_something_strange_in_a_key_is_found(
    family: str, small_stores: dict[str, SmallStore], commands: Redis, store_address: StoreAddress
) -> None:
    ready = small_stores["ended"]
    await ready.dump.restore(commands)
    verb, *value = PLANTED[kind_of(family)]
    await command(commands, verb, key_of(family), *value)
    async with small_application(store_address, ready.directory, simulation=True) as app:
        report = await verify(app)
    named = [line for found in report.invariants.values() for line in found.first]
    assert not report.ok, f"no check of workers/verifying looks at {key_of(family)}"
    assert any(key_of(family) in line or STRANGER in line for line in named), named
