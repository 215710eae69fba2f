"""What a user of the store must be allowed so that the functions of the library work for it: rules of an ACL.

Commands inside a function run with the rights of whoever called it (redis-facts L8). So a right is said twice: the
function with every key that its callers declare, and each command with the keys that the function uses it on. A user's
rules are selectors, one per list of commands and keys, because `+xack` on the log must not let `+xadd` write it.
The names of keys come from the key modules with `*` for what varies.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from runtime.store import functions
from runtime.store.keys import PROCESS_DESCRIPTIONS, PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runtime.store.keys import Keyspace

_TAG = re.compile(r"\{p\d+\}")


class Grant(msgspec.Struct, frozen=True):
    """Commands (`xgroup|create` for a part of one) on keys: patterns of the store, `%R~...` for reading alone.

    `whole`: one call names several of the keys, so they have to stand in one selector.
    """

    commands: tuple[str, ...]
    keys: tuple[str, ...]
    whole: bool = False

    def rule(self) -> str:
        """The selector."""
        keys = [key if key.startswith("%") else f"~{key}" for key in self.keys]
        return f"({' '.join([*keys, *(f'+{command}' for command in self.commands)])})"


class Rights(msgspec.Struct, frozen=True):
    """All that one user may do. `plain`: commands that touch no key; `channels`: where it may publish."""

    user: str
    about: str
    plain: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    channels: tuple[str, ...] = ()

    def rules(self) -> list[str]:
        """The rules as words of `ACL SETUSER`, from nothing on; without `on` and passwords."""
        merged = merged_grants(self.grants)
        declared = tuple(sorted({key.removeprefix("%R~") for grant in merged for key in grant.keys}))
        calls = Grant(tuple(f"fcall|{name}" for name in self.functions), declared)
        return [
            "resetchannels",
            "-@all",
            *(f"+{command}" for command in sorted(set(self.plain))),
            *(["+publish"] if self.channels else []),
            *(f"&{channel}" for channel in self.channels),
            *([calls.rule()] if self.functions else []),
            *(grant.rule() for grant in merged),
        ]


def merged_grants(grants: Iterable[Grant]) -> list[Grant]:
    """The same rights in fewer selectors: all commands of one list of keys together; `whole` ones as they are."""
    commands: dict[str, set[str]] = {}
    whole: list[Grant] = []
    for grant in grants:
        if grant.whole:
            whole.append(grant)
            continue
        for key in grant.keys:
            commands.setdefault(key, set()).update(grant.commands)
    keys: dict[tuple[str, ...], list[str]] = {}
    for key, words in commands.items():
        keys.setdefault(tuple(sorted(words)), []).append(key)
    merged = [Grant(words, tuple(sorted(names))) for words, names in sorted(keys.items(), key=lambda pair: pair[1])]
    return [*merged, *whole]


def pattern(name: str) -> str:
    """A key's name with any partition's tag in the place of this one's."""
    return _TAG.sub("{p*}", name)


def grant(commands: str, *keys: str, whole: bool = False) -> Grant:
    """A grant from words: `grant("hget hset", key)`."""
    return Grant(tuple(commands.split()), tuple(pattern(key) for key in keys), whole)


def leases(keys: Keyspace) -> str:
    """The pattern of all leases on a log."""
    return re.sub(r":\d+(?=$|:\{)", ":*", keys.lease("*", 0))


ANYBODY = ("ping", "role", "select", "client|id", "client|setname", "wait")
"""What every connection of ours sends: see `runtime.store.clients`."""


def seat_grants(keys: Keyspace, group: str) -> list[Grant]:
    """Reading a log as a group: read, settle, resync, park, hold back, leave (SEAT_FUNCTIONS)."""
    return [
        grant(
            "type exists xreadgroup xrange xack xpending xinfo|stream xinfo|groups xinfo|consumers "
            "xgroup|create xgroup|setid xgroup|delconsumer",
            keys.log(),
        ),
        grant("hmget hget hexists exists hset hdel", keys.state()),
        grant("hmget hset hdel hincrby exists", keys.position(group)),
        grant("type xadd xdel xrange xlen", keys.parked(group)),
        grant("type hmget hexists hgetall hincrby hdel", keys.held(group)),
        grant("llen lrange lrem", keys.retries(group)),
        grant("xadd", keys.operations()),
    ]


SEAT_FUNCTIONS = (
    functions.SETTLE,
    functions.RESYNC,
    functions.MARK,
    functions.LOOK,
    functions.TIDY,
    functions.HALT,
    functions.UNRETRY,
)
SEAT_COMMANDS = ("client|unblock",)


def append_grants(keys: Keyspace) -> list[Grant]:
    """Appending to a log: events, head, snapshot, history, the result under the command's id."""
    return [
        grant("type xadd", keys.log()),
        grant("hmget exists hset", keys.state()),
        grant("type get set", keys.head("*")),
        grant("type hmget hset", keys.snapshot("*")),
        grant("type rpush", keys.history("*")),
        grant("get set pexpire", re.sub("command:[0-9a-f]+", "command:*", keys.command("any", "*"))),
    ]


APPEND_COMMANDS = ("info",)
"""Whether there is room is asked before each append (`runtime.store.room`)."""


def process_grants(keyspaces: Sequence[Keyspace], groups: Sequence[tuple[Keyspace, str]]) -> list[Grant]:
    """A process itself: it opens logs that are made already, beats, takes leases, looks how far groups are."""
    found = [
        grant("zadd zrem zrange zrangebyscore", PROCESSES),
        grant("hset hdel hget hgetall", PROCESS_DESCRIPTIONS),
    ]
    for keys in keyspaces:
        found += [
            grant("type xinfo|stream xinfo|groups xrange memory|usage", keys.log()),
            grant("hmget hget hexists exists hset", keys.state(), f"{keys.spec.name}:state*"),
            grant("get set del", leases(keys)),
        ]
    for keys, group in groups:
        found += [
            grant("hmget hget exists", keys.position(group)),
            grant("xlen", keys.parked(group)),
            grant("llen", keys.retries(group)),
        ]
    return found


PROCESS_FUNCTIONS = (functions.OPEN, functions.BEAT, functions.LEASE, functions.LOOK)
PROCESS_COMMANDS = ("time", "info", "config|get", "acl|whoami", "acl|dryrun", "function|list", "cluster|slots")
