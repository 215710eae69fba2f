"""The images: two bases and three stand-ins from Debian's packages, and ours by the shipped Dockerfile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.source_tree import ROOT
from workers.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.deploy.drill.session import Drill

BUILD_BASE = "localhost/claimstream-base/build:bookworm"
RUN_BASE = "localhost/claimstream-base/run:bookworm"
IMAGE = "localhost/claimstream:0.1.0"
STANDIN = "localhost/standin"
MEGABYTE = 1_000_000
LIMIT_MEGABYTES = 200
LABELS = ("title", "description", "licenses", "version", "revision", "created")

HARDENED = (
    "--rm",
    "--no-healthcheck",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=256m",
)


def there(drill: Drill, tag: str) -> bool:
    return drill.run("podman", "image", "exists", tag, quiet=True)[0] == 0


def size(drill: Drill, tag: str) -> float:
    """Megabytes (10^6 B) of all layers of an image, as podman counts them."""
    return float(json.loads(drill.run("podman", "image", "inspect", tag, quiet=True)[1])[0]["Size"]) / MEGABYTE


def build(drill: Drill) -> None:
    """Bases when they are missing; ours always."""
    drill.head("Image: built by the shipped Dockerfile, nothing pulled")
    drill.say(
        "No registry of images is reached here: both bases are made of Debian's packages (deploy/image/bases.sh)."
    )
    if there(drill, BUILD_BASE) and there(drill, RUN_BASE):
        drill.say(f"{BUILD_BASE} and {RUN_BASE} are there from an earlier drill.")
    else:
        drill.run("nice", "deploy/image/bases.sh", BUILD_BASE, RUN_BASE, within=600)
    words = (
        "--isolation chroot --network host --pull-never --volume /etc/ssl/certs:/etc/ssl/certs:ro "
        f"--build-arg BUILD_BASE={BUILD_BASE} --build-arg RUN_BASE={RUN_BASE}"
    )
    code, _ = drill.run("nice", "make", "image", f"IMAGE={IMAGE}", f"BUILD={words}", shown=3, within=600)
    drill.check("the image is built", code == 0)
    base, whole = size(drill, RUN_BASE), size(drill, IMAGE)
    drill.say(f"       size: {whole:.0f} MB in all = {base:.0f} MB base + {whole - base:.0f} MB ours (not compressed)")
    drill.check(f"it is below {LIMIT_MEGABYTES} MB", whole < LIMIT_MEGABYTES)


def look(drill: Drill) -> None:
    """What is in it, what is not, and that it runs with everything taken away."""
    drill.head("Image: read-only root, no capability, no privileges, 256 MB, not root")

    def python(code: str) -> tuple[int, str]:
        return drill.run("podman", "run", *HARDENED, "--entrypoint", "/app/bin/python", IMAGE, "-c", code, shown=3)

    code, said = drill.run("podman", "run", *HARDENED, IMAGE, "version", shown=2)
    drill.check("it runs", code == 0)
    code, said = python(
        "import os; print(os.getuid(), open('/proc/self/status').read().split('CapEff:')[1].split()[0])"
    )
    drill.check("as 10001, without a capability", said.split()[-2:] == ["10001", "0" * 16])
    code, said = python("open('/app/x', 'w')")
    drill.check("and cannot write its root", code != 0 and "Read-only file system" in said)
    code, _ = drill.run("podman", "run", *HARDENED, "--entrypoint", "/bin/sh", IMAGE, "-c", "true", shown=1)
    drill.check("there is no shell", code != 0)
    code, said = python(
        "import importlib.util as u, shutil; print([n for n in ('pip', 'setuptools', 'ensurepip') if u.find_spec(n)],"
        " [n for n in ('pip', 'apt', 'dpkg', 'gcc', 'cc', 'make') if shutil.which(n)])"
    )
    drill.check("no pip and no build tool", said.splitlines()[-1:] == ["[] []"])
    labels = json.loads(drill.run("podman", "image", "inspect", IMAGE, quiet=True)[1])[0]["Labels"]
    _, head = drill.run("git", "rev-parse", "HEAD", quiet=True)
    named = (labels["org.opencontainers.image.version"], labels["org.opencontainers.image.revision"])
    drill.check(
        "it says what it is (OCI labels), with the version and the commit that it was built from",
        named == (VERSION, head.strip()) and {f"org.opencontainers.image.{name}" for name in LABELS} <= labels.keys(),
    )
    bill(drill, python)


def bill(drill: Drill, python: Callable[[str], tuple[int, str]]) -> None:
    """The SBOM names what is installed in the image."""
    code, _ = drill.run("make", "sbom", shown=1)
    parts = json.loads((ROOT / "build" / "sbom.cdx.json").read_text(encoding="utf-8"))["components"]
    billed = {part["name"].replace("_", "-").lower(): part["version"] for part in parts}
    _, said = python(
        "import importlib.metadata as m, json; print(json.dumps({d.name.replace('_', '-').lower(): d.version"
        " for d in m.distributions()}))"
    )
    inside = json.loads(said.splitlines()[-1])
    wrong = {name: version for name, version in inside.items() if name != "claimstream" and billed.get(name) != version}
    drill.check(f"every one of the {len(inside) - 1} packages in it is in the SBOM, with its version", not wrong)


def standins(drill: Drill) -> None:
    """Redis, Prometheus and Alertmanager from Debian."""
    drill.head("Stand-ins for the images of Redis, Prometheus and Alertmanager")
    if there(drill, f"{STANDIN}-redis:drill"):
        drill.say("They are there from an earlier drill (Debian's packages, deploy/image/standins.sh).")
        return
    code, _ = drill.run("nice", "deploy/image/standins.sh", STANDIN, within=900)
    drill.check("they are made of Debian's packages", code == 0)
