"""A server as a deployment has it, by the commands of a person: `claimstream.conf`, users by `claimstream store`.

with secured_server(folder) as server:
    assert server.say("prepare").code == 0

Each command is the user that it takes by itself, so a right that one of them lacks is a failure here.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.embedded.locate import locate
from tests.support.commands import Said, here
from tests.support.source_tree import ROOT
from tests.support.store import BINARY_VARIABLE
from tests.support.waiting import until_sync

if TYPE_CHECKING:
    from collections.abc import Iterator

CONF = ROOT / "deploy" / "redis" / "claimstream.conf"


class SecuredServer:
    """The server, its passwords, and who asks it."""

    def __init__(self, folder: Path, short: Path, binary: str) -> None:
        """`folder`: passwords, vault, archive; `short`: socket and data of the server."""
        self.folder = folder
        self.binary = binary
        self.data = short / "data"
        self.url = f"unix://{short}/s"
        self.environment = {
            "CLAIMSTREAM_STORE__OPTIONS__USERS_DIR": str(folder / "passwords"),
            "CLAIMSTREAM_PRIVACY__VAULT": str(folder / "vault" / "keys.sqlite"),
            "CLAIMSTREAM_PRIVACY__MASTER_KEY_FILE": str(folder / "master.key"),
            "CLAIMSTREAM_CHANNELS__LOG_FILE": str(folder / "notifications.jsonl"),
            "CLAIMSTREAM_ARCHIVE__DIRECTORY": str(folder / "archive"),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def say(self, *words: str) -> Said:
        """A command of a person."""
        return here(*words, url=self.url, env=self.environment)

    def done(self, *words: str) -> Said:
        """A command that has to work."""
        said = self.say(*words)
        assert said.code == 0, f"{' '.join(words)}: {said.code}, {said.out[-500:]}{said.err[-500:]}"
        return said

    def make_users(self) -> None:
        """Passwords that are missing, and the file of users."""
        passwords, users = str(self.folder / "passwords"), str(self.folder / "users.acl")
        assert here("store", "passwords", passwords).code == 0
        assert here("store", "users", "--passwords", passwords, "--output", users).code == 0

    def start(self) -> None:
        """Start it on what is on its disk."""
        self.data.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [self.binary, str(CONF), "--port", "0", "--unixsocket", self.url.removeprefix("unix://"),
             "--dir", str(self.data), "--aclfile", str(self.folder / "users.acl")],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until_sync(lambda: self.say("ping").code == 0, within=20, what="the server answers")

    def kill(self) -> None:
        """As by a power cut of the process."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def destroy(self) -> None:
        """Server and disk are gone."""
        self.kill()
        shutil.rmtree(self.data)


@contextmanager
def secured_server(folder: Path, binary: str | None = None) -> Iterator[SecuredServer]:
    """A running one; gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="cs-srv-") as short:  # the path of a socket ends at 107 bytes
        found = binary or str(locate(os.environ.get(BINARY_VARIABLE) or None).path)
        server = SecuredServer(folder, Path(short), found)
        server.make_users()
        server.start()
        try:
            yield server
        finally:
            server.kill()
