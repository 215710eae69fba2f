"""The compose file for real: store, two workers, exporter, Prometheus, Alertmanager; a claim runs through."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.deploy.drill.images import IMAGE, STANDIN
from tests.deploy.manifests import load
from tests.support.source_tree import ROOT

if TYPE_CHECKING:
    from tests.deploy.drill.session import Drill

FILE = "deploy/compose/compose.yaml"
NETWORK = "compose_inside"
STORES = {NETWORK: "redis", "claimstream-drill": "redis-pod-0"}
"""Name of the store in each network of a drill."""
CLAIM = '{"policyId": "POL-521585", "customerId": "CUST-521585", "amount": 4200, "type": "auto", "description": "dent"}'
IMAGES = {
    "CLAIMSTREAM_IMAGE": IMAGE,
    "REDIS_IMAGE": f"{STANDIN}-redis:drill",
    "PROMETHEUS_IMAGE": f"{STANDIN}-prometheus:drill",
    "ALERTMANAGER_IMAGE": f"{STANDIN}-alertmanager:drill",
}
SERVICES = ("redis", "prepare", "worker", "exporter", "prometheus", "alertmanager")


class Composed:
    """A copy of deploy/ with its own state, and a person who works as `operator` beside it."""

    def __init__(self, drill: Drill) -> None:
        self.drill = drill
        self.tree = drill.work / "tree"
        shutil.copytree(ROOT / "deploy", self.tree / "deploy", ignore=shutil.ignore_patterns("state"))
        self.state = self.tree / "deploy" / "compose" / "state"
        self.file = self.tree / FILE

    def prepare(self) -> None:
        """Passwords, users, keys."""
        command = str(Path(sys.executable).with_name("claimstream"))
        code, _ = self.drill.run(self.tree / "deploy/compose/state.sh", command, shown=2)
        self.drill.check("passwords, users of the store, master key and vault are made", code == 0)
        secrets = self.drill.work / "operator"
        shutil.copytree(self.state / "passwords", secrets)
        (secrets / "claim.json").write_text(CLAIM)
        (self.drill.work / "backups").mkdir()
        self.drill.run("chown", "-R", "10001", secrets, self.drill.work / "backups", quiet=True)

    def compose(self, *words: str, within: float = 300) -> tuple[int, str]:
        return self.drill.run("podman-compose", "-f", self.file, *words, shown=0, within=within, env=IMAGES)

    def operator(self, *words: str, network: str = NETWORK, shown: int = 4) -> tuple[int, str]:
        """A command of a person, in a container of its own."""
        return self.drill.run(
            "podman", "run", "--rm", "--no-healthcheck", "--network", network, "--read-only", "--cap-drop=ALL",
            "--tmpfs", "/tmp", "--env", "CLAIMSTREAM_CONFIG=/etc/claimstream/claimstream.toml",
            "--env", f"CLAIMSTREAM_STORE__URL=redis://{STORES[network]}:6379/0",
            "--env", "CLAIMSTREAM_PRIVACY__VAULT=/v/keys.sqlite",
            "--env", "CLAIMSTREAM_PRIVACY__MASTER_KEY_FILE=/m/master.key",
            "--volume", f"{self.tree}/deploy/compose/claimstream.toml:/etc/claimstream/claimstream.toml:ro",
            "--volume", f"{self.drill.work}/operator:/run/secrets/claimstream:ro",
            "--volume", f"{self.state}/vault:/v", "--volume", f"{self.state}/master:/m:ro",
            "--volume", f"{self.drill.work}/backups:/backups",
            # Who asks about the archive needs its disk.
            *(("--volume", "compose_archive:/var/lib/claimstream/archive") if network == NETWORK else ()),
            IMAGE, *words, shown=shown,
            typed=f"podman run --network {network} --read-only --cap-drop=ALL ... {shlex.join(words)}",
        )  # fmt: skip

    def groups(self, network: str = NETWORK) -> dict[str, Any]:
        """Every group as the operator sees it."""
        _, said = self.drill.run("true", quiet=True), self.quiet("groups", "--json", network=network)
        return {group["group"]: group for group in json.loads(said)["groups"]}

    def quiet(self, *words: str, network: str) -> str:
        """The output of an operator's command, not written down."""
        lines, self.drill.say = self.drill.say, lambda text: None  # type: ignore[method-assign]
        try:
            return self.operator(*words, network=network)[1].splitlines()[-1]
        finally:
            self.drill.say = lines  # type: ignore[method-assign]

    def claim_runs_through(self, network: str = NETWORK) -> str:
        """Submit a claim; every group settles it. Its id."""
        before = {name: group["settled"] for name, group in self.groups(network).items()}
        code, said = self.operator("claim", "submit", "/run/secrets/claimstream/claim.json", network=network, shown=1)
        self.drill.check("a claim is taken", code == 0)

        def settled() -> bool:
            now = self.groups(network)
            moved = [name for name in ("processors", "analytics", "auditors") if now[name]["settled"] > before[name]]
            return len(moved) == 3 and not any(group["backlog"] for group in now.values())

        self.drill.until("processors, analytics and auditors have settled it, and nothing is left to do", settled)
        claim = said.splitlines()[-1].strip()
        code, said = self.operator("claim", "history", claim, network=network, shown=4)
        self.drill.check("it was assigned to somebody", "assigned" in said)
        return claim

    def history(self, claim: str) -> list[dict[str, Any]]:
        """What happened to a claim; nothing is written down."""
        found: list[dict[str, Any]] = json.loads(self.quiet("claim", "history", claim, "--json", network=NETWORK))
        return found

    def verified(self) -> bool:
        """Whether `verify` finds no difference."""
        return bool(json.loads(self.quiet("verify", "--json", network=NETWORK))["ok"])


def asked(path: str) -> Any:
    """What Prometheus says about itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:9090/api/v1/{path}", timeout=5) as answer:
        return json.load(answer)["data"]


def watched(drill: Drill) -> None:
    """Prometheus has its targets, its rules and its Alertmanager."""
    drill.until(
        "Prometheus sees both workers and the exporter", lambda: len(query('up{job=~"claimstream.*"} == 1')) == 3
    )
    (written,) = load(ROOT / "deploy" / "prometheus" / "rules" / "claimstream.yaml")
    names = {rule.get("alert") or rule["record"] for group in written["groups"] for rule in group["rules"]}
    loaded = [rule for group in asked("rules")["groups"] for rule in group["rules"]]
    well = {rule["name"] for rule in loaded if rule["health"] == "ok"}
    drill.check(f"all {len(names)} rules are loaded, and none has an error", well == names)
    drill.check("it knows its Alertmanager", len(asked("alertmanagers")["activeAlertmanagers"]) == 1)


def killed(drill: Drill, one: Composed, claim: str) -> None:
    """The store dies at once and comes back from its append-only file."""
    before = one.history(claim)
    drill.run("podman", "kill", "compose_redis_1", shown=0)
    drill.run("podman", "start", "compose_redis_1", shown=0)
    drill.until(
        "the store that was killed comes back, with every fact of the claim", lambda: one.history(claim) == before
    )


def restored(drill: Drill, one: Composed, claim: str) -> None:
    """Backup beside the workers, the disk of the store emptied, restore, verify: as a person would."""
    before = one.history(claim)
    code, _ = one.operator("backup", "/backups/b", shown=2)
    drill.check("a backup is taken while the workers work", code == 0)
    drill.run("podman", "stop", "--time", "40", "compose_worker_2", "compose_exporter_1", shown=0)
    drill.run("podman", "stop", "compose_redis_1", shown=0)
    _, said = drill.run("podman", "volume", "inspect", "compose_redis-data", quiet=True)
    for path in Path(json.loads(said)[0]["Mountpoint"]).iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    drill.run("podman", "start", "compose_redis_1", shown=0)
    drill.until("the store is empty", lambda: one.operator("ping", shown=1)[0] == 0)
    code, _ = one.operator("verify", shown=1)
    drill.check("nothing is left in it", code == 2)
    code, _ = one.operator("restore", "/backups/b", shown=3)
    drill.check("the backup is restored", code == 0)
    drill.run("podman", "start", "compose_worker_2", "compose_exporter_1", shown=0)
    drill.until("verify finds every guarantee held", one.verified)
    one.operator("verify", shown=1)
    drill.check("the claim has its history", one.history(claim) == before)


def query(expression: str) -> list[dict[str, Any]]:
    """What Prometheus answers."""
    url = f"http://127.0.0.1:9090/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def compose(drill: Drill) -> None:
    """Up, a claim, figures, a drain, down."""
    drill.head("Compose: started with podman-compose, on the stand-ins")
    drill.say(
        "Grafana is left out: Debian has no package of it. Its dashboard is checked by promtool and our tests only."
    )
    one = Composed(drill)
    one.prepare()
    try:
        code, _ = one.compose("up", "-d", *SERVICES)
        drill.check("everything is started with one command", code == 0)
        drill.until("prepare ended well", lambda: inspected(drill, "compose_prepare_1")["ExitCode"] == 0)
        drill.until("two workers serve every group", lambda: served(one))
        code, said = one.operator("doctor", shown=8)
        drill.check("doctor finds it well (AOF, fsync always, noeviction, rights, functions, leases)", code == 0)
        code, said = drill.run("podman", "exec", "compose_redis_1", "redis-cli", "config", "get", "appendonly", shown=1)
        drill.check("the store lets nobody in without a password", "NOAUTH" in said)
        one.operator("lab", "load-sample-data", shown=1)
        claim = one.claim_runs_through()
        watched(drill)
        drill.until("the recorded backlog has a figure", lambda: query("claimstream:backlog_entries:max"))
        drill.until(
            "the store has refused nobody anything (ACL LOG, by the exporter)",
            lambda: query("claimstream_store_refusals") and not query("claimstream_store_refusals > 0"),
        )
        drill.check("no alert fires", not query('ALERTS{alertstate="firing"}'))
        with urllib.request.urlopen("http://127.0.0.1:9093/-/healthy", timeout=5) as answer:
            drill.check("Alertmanager is well", answer.status == 200)
        drill.run("podman", "stop", "--time", "40", "compose_worker_1", shown=0)
        drill.check(
            "a worker that is stopped drains and ends with 0", inspected(drill, "compose_worker_1")["ExitCode"] == 0
        )
        one.claim_runs_through()
        killed(drill, one, claim)
        one.claim_runs_through()
        restored(drill, one, claim)
        one.claim_runs_through()
    finally:
        one.compose("down", "--volumes")
        drill.run("podman", "rm", "--all", "--force", quiet=True)
        drill.run("podman", "volume", "rm", "--all", "--force", quiet=True)


def served(one: Composed) -> bool:
    """Whether every group has an owner, and two processes live."""
    said = json.loads(one.quiet("status", "--json", network=NETWORK))
    return len(said["processes"]) == 2 and all(seat["owner"] for seat in said["seats"])


def inspected(drill: Drill, name: str) -> dict[str, Any]:
    """The state of a container."""
    _, said = drill.run("podman", "inspect", name, quiet=True)
    found: dict[str, Any] = json.loads(said)[0]["State"]
    return found
