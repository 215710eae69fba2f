"""The clock of a worker, to be set while it runs: a small library that gcc makes, preloaded into the worker.

Without gcc there is no such fault, and the table says UNKNOWN for it (redis-facts T7: libfaketime is no way out).
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock_shim.c")


def built(folder: Path) -> Path | None:
    """The library in `folder`, made when it is not there; None: no compiler here."""
    library = folder / "clock_shim.so"
    if library.exists():
        return library
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"clock_shim.{id(folder)}.so"
    made = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(fresh), str(SOURCE), "-ldl"], capture_output=True, check=False
    )
    if made.returncode:
        return None
    fresh.replace(library)
    return library


class Clock:
    """The clock of one worker slot."""

    def __init__(self, library: Path | None, file: Path) -> None:
        """`file` holds the offset; made here."""
        self._library = library
        self._file = file
        self.set(0)

    @property
    def usable(self) -> bool:
        """Can it be set?"""
        return self._library is not None

    def set(self, seconds: int) -> None:
        """Let the wall clock be off by so much, from now."""
        if not self._file.exists():
            self._file.write_bytes(struct.pack("q", seconds))
        else:
            with self._file.open("r+b") as there:  # in place: the worker has it mapped
                there.write(struct.pack("q", seconds))

    def environment(self) -> dict[str, str]:
        """What a worker has to be started with."""
        if self._library is None:
            return {}
        return {"LD_PRELOAD": str(self._library), "CAMPAIGN_CLOCK": str(self._file)}
