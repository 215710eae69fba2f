"""An older version of the program beside this one: from the history, or made of this one when there is no history."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, NamedTuple

from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

OLD_COMMIT = "5693351"
"""The version before the archive, users of the store, and revisions of the function library."""

PACKAGES = ("domain", "runtime", "workers", "config")


class Version(NamedTuple):
    """A tree that programs run from, and where it is from, for people."""

    tree: Path
    origin: str


def older_version(folder: Path) -> Version:
    """The older version, unpacked into `folder`. Without history (a shallow clone, a source archive): a stand-in."""
    tree = folder / "older"
    tree.mkdir()
    found = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", OLD_COMMIT, *PACKAGES], capture_output=True, check=False
    )
    if found.returncode == 0:
        with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
            archive.extractall(tree, filter="data")
        return Version(tree, f"commit {OLD_COMMIT}")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    patched = tree / "runtime" / "store" / "lua" / "00_revision.lua"
    patched.write_text(re.sub(r"revision \d+,", "revision 0,", patched.read_text()))
    version = tree / "workers" / "version.py"
    version.write_text(re.sub(r'"\d+\.[^"]*"', '"0.0.9"', version.read_text()))
    return Version(tree, "this tree as version 0.0.9: there is no history here")


FEEDER = """
import asyncio, json, sys
from config.loading import load
from workers.adapters.auto_portfolio import portfolio
from workers.bootstrap import open_application
from workers.importing import Importer, batches

async def main(first, last):
    settings = load()
    app = await open_application(settings, settings.store.address())
    try:
        rows = [row for batch in batches(portfolio(last, seed=7)) for row in batch][first:]
        for start in range(0, len(rows), 5):
            done = await Importer(app).portfolio(rows[start : start + 5])
            print(json.dumps(done.claim_ids), flush=True)
            await asyncio.sleep(0.05)
    finally:
        await app.close()

asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""
"""Appends claims five at a time and prints the ids once they are confirmed. Runs in the tree of either version."""
