"""The store is written by the functions of the Lua library alone, and nothing else acknowledges an entry."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.source_tree import Module, modules, text_files

# Commands that change the store, by the names of the client's methods.
WRITES = frozenset(
    """
    append bitop copy decr decrby delete expire expireat flushall flushdb getdel getex getset hdel
    hincrby hincrbyfloat hmset hset hsetnx incr incrby incrbyfloat linsert lpop lpush lpushx lrem lset
    ltrim mset msetnx persist pexpire pexpireat psetex rename renamenx restore rpop rpush rpushx sadd set
    setex setnx setrange spop srem unlink xack xadd xautoclaim xclaim xdel xgroup_create
    xgroup_createconsumer xgroup_delconsumer xgroup_destroy xgroup_setid xsetid xtrim zadd zincrby
    zpopmax zpopmin zrem zremrangebyrank zremrangebyscore
    """.split()
)

# Lists, events, gauges and paths have methods of these names too: a write only on something like a client.
SHARED_NAMES = {"append", "copy", "delete", "expire", "persist", "rename", "restore", "set", "unlink"}
CLIENT_NAMES = re.compile(r"client|redis|store|conn|pipe|pool", re.IGNORECASE)

COMMAND_CALLS = {"execute_command", "send_command", "command", "call"}

# Module and method that may write all the same, with the reason.
ALLOWED: dict[tuple[str, str], str] = {}


def method_of(call: ast.Call) -> str:
    return call.func.attr.lower() if isinstance(call.func, ast.Attribute) else ""


def direct_writes(module: Module) -> list[tuple[str, int]]:
    """(command, line) of each call that would change the store without a function of the library."""
    found = []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = method_of(node)
        receiver = ast.unparse(node.func.value)
        if name in WRITES and (name not in SHARED_NAMES or CLIENT_NAMES.search(receiver)):
            found.append((name, node.lineno))
        elif name in COMMAND_CALLS and (command := _first_text(node)) in WRITES:
            found.append((command, node.lineno))
    return found


def _first_text(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str | bytes):
        return ""
    text = first.value if isinstance(first.value, str) else first.value.decode()
    return text.strip().lower().replace(" ", "_")


def test_nothing_writes_to_the_store_but_the_functions_of_the_library() -> None:
    found = [
        f"{module.path}:{line} {name}"
        for module in modules("runtime", "workers")
        for name, line in direct_writes(module)
        if (module.name, name) not in ALLOWED
    ]
    assert not found, f"a write outside append and settle is not fenced and not applied once: {found}"


def test_every_exception_is_still_needed() -> None:
    there = {(module.name, name) for module in modules("runtime", "workers") for name, _ in direct_writes(module)}
    assert set(ALLOWED) <= there


def test_entries_are_acknowledged_in_lua_only() -> None:
    python = [
        f"{module.path}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str | bytes)
        and str(node.value).strip("b'").upper() == "XACK"
    ]
    assert not python, f"acknowledged without moving the position: done twice after a crash, or never: {python}"


def test_the_library_does_acknowledge() -> None:
    library = [path for path, text in text_files(".lua") if "'XACK'" in text or '"XACK"' in text]
    assert all(path.startswith("runtime/store/") for path in library)
    assert library, "no function acknowledges: the test above has lost its subject"


@pytest.mark.parametrize(
    "code",
    [
        "client.xack('s', 'g', 'i')",
        "self._client.set('k', 1)",
        "pipe.delete('k')",
        "await conn.execute_command('XADD', 's')",
        "x.send_command(b'XGROUP SETID', 's')",
    ],
)
def test_a_direct_write_is_seen(code: str) -> None:
    assert direct_writes(Module("m", "m.py", ast.parse(code)))


@pytest.mark.parametrize("code", ["event.set()", "gauge.set(1)", "names.append(1)", "client.xrange('s')"])
def test_what_only_looks_like_a_write_passes(code: str) -> None:
    assert not direct_writes(Module("m", "m.py", ast.parse(code)))
