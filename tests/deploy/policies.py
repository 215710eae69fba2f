"""What must hold for every pod that we deploy. Each policy gives the breaches that it finds, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.loading import load
from tests.deploy.manifests import containers, name_of, of_kind, pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.deploy.manifests import Document

OURS = "claimstream"
STATUS_PORT = 8080
"""CLAIMSTREAM_HOST__STATUS__PORT of the image."""


def is_restricted(documents: Sequence[Document]) -> Iterator[str]:
    """The Pod Security Standard `restricted`, and a root file system that is only read."""
    for owner, template in pods(list(documents)):
        spec = template["spec"]
        pod = spec.get("securityContext", {})
        if pod.get("runAsNonRoot") is not True or not pod.get("runAsUser"):
            yield f"{owner} may run as root"
        if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{owner} has no seccomp profile"
        if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{owner} shares a namespace with its node"
        if any("hostPath" in volume for volume in spec.get("volumes", [])):
            yield f"{owner} mounts a path of its node"
        for container in containers(template):
            own = container.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
                yield f"{owner}/{container['name']} may gain privileges"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{owner}/{container['name']} may write its root file system"
            if own.get("capabilities", {}).get("drop") != ["ALL"] or own["capabilities"].get("add"):
                yield f"{owner}/{container['name']} keeps capabilities"


def has_no_token(documents: Sequence[Document]) -> Iterator[str]:
    """Nobody here talks to the Kubernetes API, nor finds services through variables."""
    for owner, template in pods(list(documents)):
        if template["spec"].get("automountServiceAccountToken") is not False:
            yield f"{owner} gets a service-account token"
        if template["spec"].get("enableServiceLinks") is not False:
            yield f"{owner} gets variables of every service"


def has_limits(documents: Sequence[Document]) -> Iterator[str]:
    """Requests and limits, memory and CPU."""
    for owner, template in pods(list(documents)):
        for container in containers(template):
            resources = container.get("resources", {})
            for part in ("requests", "limits"):
                if missing := {"cpu", "memory"} - resources.get(part, {}).keys():
                    yield f"{owner}/{container['name']} has no {part} for {', '.join(sorted(missing))}"


def is_probed(documents: Sequence[Document]) -> Iterator[str]:
    """What runs on and on has the three probes; ours at the endpoints that mean it, on a port that is declared."""
    for document in of_kind(list(documents), "Deployment", "StatefulSet"):
        for container in document["spec"]["template"]["spec"]["containers"]:
            who = f"{name_of(document)}/{container['name']}"
            ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe not in container:
                    yield f"{who} has no {probe}"
                elif is_ours(container):
                    get = container[probe].get("httpGet", {})
                    wanted = "/readyz" if probe == "readinessProbe" else "/livez"
                    if (get.get("path"), ports.get(get.get("port"))) != (wanted, STATUS_PORT):
                        yield f"{who}: {probe} does not ask {wanted} on port {STATUS_PORT}"


def ends_within_its_grace(documents: Sequence[Document]) -> Iterator[str]:
    """preStop and the drain of the profile, its hard end included, fit into the pod's grace period."""
    settings = load("production", environment={})
    alone = settings.stopping.drain_seconds + settings.stopping.cancel_seconds
    fleet = settings.fleet.drain_seconds + settings.fleet.kill_seconds
    for document in of_kind(list(documents), "Deployment"):
        spec = document["spec"]["template"]["spec"]
        for container in filter(is_ours, spec["containers"]):
            drain = fleet if "--processes" in container["args"] else alone
            command = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
            if not command:
                yield f"{name_of(document)} has no preStop"
                continue
            before = float(command[-1].partition("sleep(")[2].rstrip(")"))
            if before + drain >= spec["terminationGracePeriodSeconds"]:
                yield f"{name_of(document)} is killed after {spec['terminationGracePeriodSeconds']} s in its drain"


def keeps_secrets_in_files(documents: Sequence[Document]) -> Iterator[str]:
    """No secret stands in a variable, neither as text nor as a reference: variables leak into logs and children."""
    for owner, template in pods(list(documents)):
        for container in containers(template):
            for variable in container.get("env", []):
                name = variable["name"]
                secret = any(word in name for word in ("PASSWORD", "TOKEN", "SECRET", "MASTER_KEY"))
                if "secretKeyRef" in variable.get("valueFrom", {}) or (secret and not name.endswith("_FILE")):
                    yield f"{owner}/{container['name']}: {name} is a secret in a variable"
                if "@" in variable.get("value", ""):
                    yield f"{owner}/{container['name']}: {name} may hold a password"
            if container.get("envFrom"):
                yield f"{owner}/{container['name']} takes a whole object into its variables"
        for volume in template["spec"].get("volumes", []):
            if volume.get("secret", {}).get("defaultMode", 0o440) & 0o007:
                yield f"{owner}: the secret {volume['name']} can be read by everybody in the pod"
    for document in of_kind(list(documents), "Secret"):
        yield f"{name_of(document)} is in the files"
    for document in of_kind(list(documents), "ConfigMap"):
        for key, text in document.get("data", {}).items():
            if "://" in text and "@" in text.partition("://")[2].partition("/")[0]:
                yield f"{name_of(document)}: {key} may hold a password"


def keeps_the_vault_closed(documents: Sequence[Document]) -> Iterator[str]:
    """A vault that the group may write is refused by us; the default of fsGroup opens it at every start."""
    for owner, template in pods(list(documents)):
        claims = [volume for volume in template["spec"].get("volumes", []) if "persistentVolumeClaim" in volume]
        if claims and template["spec"]["securityContext"].get("fsGroupChangePolicy") != "OnRootMismatch":
            yield f"{owner}: fsGroupChangePolicy is not OnRootMismatch"


def mounts_what_it_declares(documents: Sequence[Document]) -> Iterator[str]:
    """Every mount has its volume, every volume its mount, and /tmp can be written."""
    for owner, template in pods(list(documents)):
        volumes = {volume["name"] for volume in template["spec"].get("volumes", [])}
        mounted: set[str] = set()
        for container in containers(template):
            mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
            mounted |= mounts.keys()
            if is_ours(container) and "/tmp" not in mounts.values():
                yield f"{owner}/{container['name']} has no place for temporary files"
        if volumes != mounted and not of_claims(documents, owner):
            yield f"{owner}: volumes {sorted(volumes)}, mounted {sorted(mounted)}"


def of_claims(documents: Sequence[Document], owner: str) -> bool:
    """Whether the owner brings volumes of its own (a StatefulSet)."""
    return any(name_of(one) == owner and "volumeClaimTemplates" in one["spec"] for one in documents)


def runs_one_image(documents: Sequence[Document]) -> Iterator[str]:
    """All our pods run the same image, and no image is `latest`."""
    images = {
        container["image"]
        for _, template in pods(list(documents))
        for container in containers(template)
        if is_ours(container)
    }
    if len(images) > 1:
        yield f"several versions of us: {', '.join(sorted(images))}"


def is_ours(container: Document) -> bool:
    """Whether it is our image."""
    return str(container["image"].rpartition("/")[2].partition(":")[0].partition("@")[0]) == OURS


POLICIES: tuple[Callable[[Sequence[Document]], Iterator[str]], ...] = (
    is_restricted,
    has_no_token,
    has_limits,
    is_probed,
    ends_within_its_grace,
    keeps_secrets_in_files,
    keeps_the_vault_closed,
    mounts_what_it_declares,
    runs_one_image,
)
