"""Harm to the store process and its resources (F3, F4, F6, F8, F9, F26-F29, F33)."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from runtime.embedded.errors import DataDirectoryLocked
from runtime.embedded.options import EmbeddedOptions
from runtime.embedded.server import EmbeddedServer
from runtime.store import functions
from tests.chaos.campaign.embedded_target import AWAY
from tests.chaos.campaign.scene import Impossible, Scene, fault

if TYPE_CHECKING:
    from pathlib import Path


@fault("kill -9 the store", "F4")
async def kill_store(scene: Scene) -> bool:
    """It dies and comes back with what it had confirmed."""
    await scene.target.kill_primary()
    await scene.pause(0.0, 0.4)
    await scene.target.restart_primary()
    await scene.target.writable(within=20.0)
    return True


@fault("restart the store", "F3")
async def restart_store(scene: Scene) -> bool:
    """SHUTDOWN and start, as for an upgrade."""
    await scene.target.shut_primary_down()
    await scene.pause(0.0, 0.4)
    await scene.target.restart_primary()
    await scene.target.writable(within=20.0)
    return True


@fault("stop the store", "F4")
async def pause_store(scene: Scene) -> bool:
    """It does not answer for longer than a reply may take."""
    pid = scene.target.store_pid
    if pid is None:
        return False
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(scene.chance.uniform(1.6, 2.0))
    os.kill(pid, signal.SIGCONT)
    return True


@fault("fill the memory of the store", "F8")
async def fill_memory(scene: Scene) -> bool:
    """Maxmemory below what is used: appends are refused, settling goes on; then there is room again."""
    await scene.target.run("CONFIG", "SET", "maxmemory", "1")
    await scene.pause(0.8, 1.3)
    await scene.surely("CONFIG", "SET", "maxmemory", str(256 << 20))
    return True


@fault("fill the disk of the store", "F9", "disk")
async def fill_disk(scene: Scene) -> bool:
    """No byte can be written to the append-only file; then there is room again."""
    data = scene.target.data_dir
    if data is None or not data.is_mount():
        raise Impossible("a file system of its own cannot be mounted here")
    filler = data / "filler"
    _fill(filler)
    await asyncio.sleep(1.5)
    filler.unlink()
    if scene.target.store_pid is None:
        await scene.target.restart_primary()
    await _until_running(scene)
    return True


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 65_536)


async def _until_running(scene: Scene) -> None:
    """A full disk may end the server later than it began to be full."""
    for _ in range(40):
        try:
            await scene.target.writable(within=1.0)
            return
        except AssertionError:
            if scene.target.store_pid is None:
                with suppress(Exception):
                    await scene.target.restart_primary()


@fault("slow disk", "F6", "synced")
async def slow_disk(scene: Scene) -> bool:
    """Each fdatasync takes 150 ms longer."""
    if shutil.which("strace") is None:
        raise Impossible("there is no strace here")
    words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e",
             "inject=fdatasync,fsync:delay_enter=150000", "-p", str(scene.target.store_pid)]  # fmt: skip
    null = subprocess.DEVNULL
    tracer = await asyncio.create_subprocess_exec(*words, stdin=null, stdout=null, stderr=null)
    await asyncio.sleep(1.5)
    works = tracer.returncode is None
    if works:
        tracer.send_signal(signal.SIGINT)
    await tracer.wait()
    if not works:
        raise Impossible("strace may not trace here")
    return True


@fault("cut all clients", "F28")
async def cut_clients(scene: Scene) -> bool:
    """CLIENT KILL of everybody."""
    await scene.target.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    return True


@fault("pause all clients", "F28")
async def pause_clients(scene: Scene) -> bool:
    """The store answers nobody for longer than a reply may take."""
    await scene.target.run("CLIENT", "PAUSE", 1800)
    await asyncio.sleep(1.9)
    return True


@fault("delete the function library", "F29")
async def delete_library(scene: Scene) -> bool:
    """FUNCTION DELETE: whoever needs it next loads it again."""
    await scene.target.run("FUNCTION", "DELETE", functions.LIBRARY)
    return True


@fault("a slow script", "F26")
async def slow_script(scene: Scene) -> bool:
    """Somebody keeps the server busy for a second; it answers nobody meanwhile."""
    script = "local t = redis.call('TIME')[1] + 1 while redis.call('TIME')[1] + 0 <= t do end return 1"
    with suppress(*AWAY):
        await scene.target.run("EVAL", script, 0)
    return True


@fault("no connection is left", "F27")
async def few_connections(scene: Scene) -> bool:
    """Maxclients far below what is needed, and everybody has to connect again."""
    await scene.target.run("CONFIG", "SET", "maxclients", "12")
    await scene.tried("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await asyncio.sleep(1.0)
    await scene.surely("CONFIG", "SET", "maxclients", "10000")
    return True


@fault("a second supervisor on the data directory", "F33")
async def second_supervisor(scene: Scene) -> bool:
    """It has to refuse; two servers on one directory would ruin it."""
    if scene.target.data_dir is None:
        raise Impossible("the target has no data directory of ours")
    options = EmbeddedOptions(data_dir=str(scene.target.data_dir), socket_dir=str(scene.folder / "s2"), min_free_mib=0)
    second = EmbeddedServer(options)
    try:
        await second.start()
    except DataDirectoryLocked:
        return True
    second.stop_now()
    scene.history.write("nemesis", "measure", name="second supervisors that started", value=1, limit=0, unit="")
    return True
