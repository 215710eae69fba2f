"""Importing a module does nothing outside: no file is written, no socket opened, no process started."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.source_tree import ROOT, modules

# Imports every module under an audit hook and prints what touched the outside, with the module that did it.
PROBE = """
import importlib, json, sys

sys.dont_write_bytecode = True
found, current = [], ""
FORBIDDEN = ("socket.bind", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.fork", "os.mkdir",
             "os.remove", "os.rename", "os.kill", "signal.pthread_kill", "sqlite3.connect")

def watch(event, args):
    written = event == "open" and isinstance(args[1], str) and any(c in args[1] for c in "wax+")
    if current and (written or event in FORBIDDEN):
        found.append(f"{current}: {event} {args!r}"[:200])

sys.addaudithook(watch)
import threading
for name in json.load(sys.stdin):
    current = name
    importlib.import_module(name)
    current = ""
if threading.active_count() > 1:
    found.append(f"threads: {threading.enumerate()}")
print(json.dumps(found))
"""


def test_importing_every_module_touches_nothing_outside() -> None:
    names = [module.name for module in modules() if not module.name.endswith("__main__")]
    assert touched(names) == []


def touched(names: list[str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        input=json.dumps(names),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found
