"""`make deploy-drill`: image, compose, played manifests; a transcript in deploy/transcripts/. Exit 1: a failure."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from tests.deploy.drill.compose import compose
from tests.deploy.drill.images import build, look, standins
from tests.deploy.drill.kubernetes import kubernetes
from tests.deploy.drill.session import Drill
from tests.support.source_tree import ROOT

STEPS = {"image": (build, look), "compose": (standins, compose), "kubernetes": (standins, kubernetes)}
PROGRAMS = ("podman", "podman-compose", "mmdebstrap", "runc", "kubectl", "iptables")
PACKAGES = "podman buildah runc catatonit netavark aardvark-dns iptables podman-compose mmdebstrap"


def main(words: list[str]) -> int:
    """Run the named parts, or all of them."""
    storage = Path(os.environ.get("DRILL_STORAGE", "/var/tmp/claimstream-drill"))
    storage.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="claimstream-drill-"))
    work.chmod(0o755)
    drill = Drill(work, storage)
    now = datetime.datetime.now(datetime.UTC)
    drill.say(f"# Deployment drill of {now:%Y-%m-%d %H:%M} UTC")
    if missing := drill.missing(PROGRAMS):
        drill.say(f"not possible here: {', '.join(missing)} missing; apt-get install {PACKAGES}, and kubectl")
        return 1
    try:
        machine(drill)
        for name in words or list(STEPS):
            for step in STEPS[name]:
                step(drill)
    except Exception:
        drill.say(traceback.format_exc())
        drill.failed.append("the drill itself")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    drill.say(f"\n{len(drill.failed)} failed{': ' + '; '.join(drill.failed) if drill.failed else ''}")
    folder = ROOT / "deploy" / "transcripts"
    folder.mkdir(exist_ok=True)
    (folder / f"{now:%Y-%m-%d}-{'-'.join(words) or 'drill'}.txt").write_text(
        "\n".join(drill.lines) + "\n", encoding="utf-8"
    )
    return 1 if drill.failed else 0


def machine(drill: Drill) -> None:
    """Where this was run."""
    drill.head("Machine")
    drill.run("podman", "--version", shown=1)
    drill.run("runc", "--version", shown=3)
    drill.say(f"       {platform.system()} {platform.release().partition('-')[0]}, {os.cpu_count()} cores")
    drill.run("git", "log", "-1", "--format=%h %cs %s", shown=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
