"""The staging overlay, rendered and played with podman: the shipped pods, on a store of the same files."""

from __future__ import annotations

import copy
import json
import shutil
from typing import TYPE_CHECKING, Any

import yaml

from tests.deploy.drill.compose import Composed, inspected
from tests.deploy.drill.images import IMAGE, STANDIN
from tests.deploy.manifests import containers, name_of, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deploy.drill.session import Drill
    from tests.deploy.manifests import Document

NETWORK = "claimstream-drill"
STORE = "redis://redis-pod-0:6379/0"
"""podman names a pod after its Deployment; there is no Service."""


def playable(documents: list[Document], state: Path, places: Path) -> list[Document]:
    """What podman 4.3 can play. Everything of a pod stays but: volumes are directories here (it hands out Secrets
    undecoded and open to all, and shares an emptyDir between pods), ports and probes go (it would publish the first on
    one address and wants systemd for the second), a StatefulSet is played as a Deployment, a Job as a pod.
    """
    found = [copy.deepcopy(one) for one in documents if one["kind"] == "ConfigMap"]
    for one in found:
        if "url" in one["data"]:
            one["data"]["url"] = STORE
    for one in documents:
        if one["kind"] not in ("Deployment", "StatefulSet", "Job"):
            continue
        one = copy.deepcopy(one)
        spec = one["spec"]["template"]["spec"]
        user = spec["securityContext"]["runAsUser"]
        name = one["metadata"]["name"]
        if one["kind"] == "StatefulSet":
            spec["volumes"].append({"name": "data", "emptyDir": {}})
        for volume in spec["volumes"]:
            if "configMap" in volume:
                volume["configMap"]["optional"] = False
            else:
                folder = _folder(volume, state, places / name / volume["name"], user)
                volume.clear()
                volume |= {"name": f"{folder.name}", "hostPath": {"path": str(folder), "type": "Directory"}}
        for container in containers(one["spec"]["template"]):
            for key in ("ports", "startupProbe", "livenessProbe", "readinessProbe"):
                container.pop(key, None)
            container["image"] = f"{STANDIN}-redis:drill" if "redis" in container["image"] else IMAGE
        if one["kind"] == "Job":
            spec["hostname"] = name
            one = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        else:
            one = {**one, "kind": "Deployment", "apiVersion": "apps/v1"}
            one["spec"] = {key: one["spec"][key] for key in ("selector", "template")} | {"replicas": 1}
        found.append(one)
    for one in found:
        one["metadata"].pop("namespace", None)
    return found


def _folder(volume: dict[str, Any], state: Path, folder: Path, user: int) -> Path:
    """A directory of this host with what the volume would hold, for the pod's user only."""
    folder.mkdir(parents=True)
    secret = volume.get("secret", {})
    if secret.get("secretName") == "claimstream-store-users":
        for item in secret["items"]:
            shutil.copy(state / "passwords" / item["key"], folder / item["path"])
    elif secret.get("secretName") == "claimstream-master-key":
        shutil.copy(state / "master" / "master.key", folder / "master.key")
    elif secret.get("secretName") == "claimstream-redis-users":
        shutil.copy(state / "redis" / "users.acl", folder / "users.acl")
    elif "persistentVolumeClaim" in volume:
        shutil.rmtree(folder)
        folder = state / volume["persistentVolumeClaim"]["claimName"].removeprefix("claimstream-")
        folder.mkdir(exist_ok=True)
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, user, user)
    return folder


def kubernetes(drill: Drill) -> None:
    """Play, prepare, a claim, a stop within the grace period."""
    drill.head("Kubernetes: the staging overlay played with podman")
    drill.say("Not Kubernetes: no scheduler, no NetworkPolicy, no budgets, no probes (podman wants systemd).")
    one = Composed(drill) if not (drill.work / "tree").exists() else None
    state = drill.work / "tree" / "deploy" / "compose" / "state"
    if one is not None:
        one.prepare()
    else:
        one = Composed.__new__(Composed)
        one.drill, one.tree, one.state = drill, drill.work / "tree", state
    documents = playable(rendered("overlays/staging"), state, drill.work / "places")
    parts = {"store": [], "prepare": [], "rest": []}  # type: dict[str, list[Document]]
    for document in documents:
        part = (
            "store" if document["metadata"]["name"] == "redis" else "prepare" if document["kind"] == "Pod" else "rest"
        )
        if document["kind"] == "ConfigMap":
            for other in parts.values():
                other.append(document)
        else:
            parts[part].append(document)
    drill.run("podman", "network", "create", NETWORK, shown=0)
    try:
        for part, words in parts.items():
            play(drill, part, words)
            if part == "prepare":
                drill.until("the Job's containers ended well", lambda: job_ended(drill))
        drill.until(
            "claims (two processes), projections, notices and archive serve every group", lambda: all_served(one)
        )
        one.operator("lab", "load-sample-data", network=NETWORK, shown=1)
        one.claim_runs_through(NETWORK)
        archived = [path for path in (state / "archive").rglob("*") if path.is_file() and path.stat().st_size]
        drill.check("the logs are archived on the disk of the archive's pod", len(archived) >= 3)
        hardened(drill)
        code, _ = drill.run("podman", "stop", "--time", "40", "claimstream-claims-pod-0-claims", shown=0)
        ended = inspected(drill, "claimstream-claims-pod-0-claims")["ExitCode"]
        drill.check("the claims pod drains within its grace period", ended == 0)
    finally:
        drill.run("podman", "pod", "rm", "--all", "--force", quiet=True)
        drill.run("podman", "volume", "rm", "--all", "--force", quiet=True)
        drill.run("podman", "network", "rm", "--force", NETWORK, quiet=True)


def play(drill: Drill, part: str, documents: list[Document]) -> None:
    """Hand some of the documents to podman."""
    file = drill.work / f"{part}.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    shown = ", ".join(name_of(one) for one in documents if one["kind"] != "ConfigMap")
    code, said = drill.run("podman", "play", "kube", "--network", NETWORK, file, shown=0)
    drill.check(f"played: {shown}", code == 0 and "rror" not in said)


def job_ended(drill: Drill) -> bool:
    """Whether both containers of the Job ended with 0 (podman plays first containers one after the other)."""
    state = inspected(drill, "claimstream-prepare-doctor")
    return bool(state["Status"] == "exited" and state["ExitCode"] == 0)


def all_served(one: Composed) -> bool:
    """Whether every seat has an owner, by five processes: two of claims, one each of the others."""
    said = json.loads(one.quiet("status", "--json", network=NETWORK))
    return len(said["processes"]) == 5 and all(seat["owner"] for seat in said["seats"])


def hardened(drill: Drill) -> None:
    """What the manifest asked for is what the container got."""
    for name in ("claims", "projections", "notices", "archive", "exporter"):
        _, said = drill.run("podman", "inspect", f"claimstream-{name}-pod-0-{name}", quiet=True)
        found = json.loads(said)[0]
        held = (
            found["HostConfig"]["ReadonlyRootfs"]
            and found["Config"]["User"].startswith("10001")
            and not found["EffectiveCaps"]
            and not found["HostConfig"]["Privileged"]
            and found["HostConfig"]["Memory"] > 0
        )
        drill.check(f"{name}: read-only root, user 10001, no capability, a memory limit", held)
