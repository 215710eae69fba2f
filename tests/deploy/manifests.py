"""The Kubernetes files as data: as they are written, and as kustomize puts them together."""

from __future__ import annotations

import functools
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
TREES = ("once", "overlays/staging", "overlays/production", "overlays/sentinel", "overlays/cluster")
"""What a person applies."""

Document = dict[str, Any]


def load(path: Path) -> list[Document]:
    """The documents of one YAML file."""
    return [found for found in yaml.safe_load_all(path.read_text(encoding="utf-8")) if found]


@functools.cache
def written() -> tuple[Document, ...]:
    """Every object as it stands in its file; kustomize adds names and labels to these, and takes nothing away."""
    paths = sorted(
        path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml" and ".patch." not in path.name
    )
    return tuple(document for path in paths for document in load(path) if "kind" in document)


def kustomize() -> list[str] | None:
    """The command that renders, None where there is none."""
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    return ["kustomize", "build"] if shutil.which("kustomize") else None


@functools.cache
def rendered_text(tree: str) -> str:
    """What `kubectl apply -k` would send for this tree."""
    command = kustomize()
    assert command is not None, "ask kustomize() first"
    done = subprocess.run([*command, str(KUBERNETES / tree)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{tree}: {done.stderr}"
    return done.stdout


def rendered(tree: str) -> list[Document]:
    """The same as data."""
    return [found for found in yaml.safe_load_all(rendered_text(tree)) if found]


def of_kind(documents: tuple[Document, ...] | list[Document], *kinds: str) -> list[Document]:
    """The documents of these kinds."""
    return [document for document in documents if document["kind"] in kinds]


def name_of(document: Document) -> str:
    """Kind and name, for people."""
    return f"{document['kind']}/{document['metadata']['name']}"


def pods(documents: tuple[Document, ...] | list[Document]) -> Iterator[tuple[str, Document]]:
    """(who makes it, pod template) of everything that makes pods."""
    for document in of_kind(documents, "Deployment", "StatefulSet", "DaemonSet", "Job"):
        yield name_of(document), document["spec"]["template"]


def containers(template: Document) -> list[Document]:
    """Those that start first included."""
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]
