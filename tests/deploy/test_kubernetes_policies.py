"""The manifests obey our policies: as written, as rendered, and each policy sees the breach that it is for."""

from __future__ import annotations

import copy
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.manifests import (
    DEPLOY,
    KUBERNETES,
    TREES,
    Document,
    containers,
    kustomize,
    load,
    name_of,
    of_kind,
    pods,
    rendered,
    written,
)
from tests.deploy.policies import (
    POLICIES,
    ends_within_its_grace,
    has_limits,
    has_no_token,
    is_ours,
    is_probed,
    is_restricted,
    keeps_secrets_in_files,
    keeps_the_vault_closed,
    mounts_what_it_declares,
    runs_one_image,
)
from tests.support.rows import row
from workers.routing import ROUTES, seals

if TYPE_CHECKING:
    from collections.abc import Callable

needs_kustomize = pytest.mark.skipif(kustomize() is None, reason="neither kubectl nor kustomize is on PATH")
Spec = dict[str, Any]
SETS = ("claims", "projections", "notices", "archive")
"""The Deployments that serve actors."""


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_every_manifest_obeys(policy: Callable[..., Any]) -> None:
    assert list(policy(written())) == []


@needs_kustomize
@pytest.mark.parametrize("tree", TREES)
def test_what_is_applied_obeys(tree: str) -> None:
    documents = rendered(tree)
    assert [breach for policy in POLICIES for breach in policy(documents)] == []


def first(deployment: Document) -> Spec:
    found: Spec = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def pod(deployment: Document) -> Spec:
    found: Spec = deployment["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize(
    ("policy", "spoil"),
    [
        (is_restricted, lambda one: pod(one)["securityContext"].pop("runAsNonRoot")),
        (is_restricted, lambda one: pod(one).update(hostNetwork=True)),
        (is_restricted, lambda one: first(one)["securityContext"].update(readOnlyRootFilesystem=False)),
        (is_restricted, lambda one: first(one)["securityContext"]["capabilities"].update(add=["NET_ADMIN"])),
        (has_no_token, lambda one: pod(one).pop("automountServiceAccountToken")),
        (has_limits, lambda one: first(one)["resources"]["limits"].pop("memory")),
        (is_probed, lambda one: first(one).pop("livenessProbe")),
        (is_probed, lambda one: first(one)["readinessProbe"]["httpGet"].update(path="/livez")),
        (is_probed, lambda one: first(one)["ports"][0].update(containerPort=8081)),
        (ends_within_its_grace, lambda one: pod(one).update(terminationGracePeriodSeconds=30)),
        (ends_within_its_grace, lambda one: first(one).pop("lifecycle")),
        (keeps_secrets_in_files, lambda one: first(one)["env"].append({"name": "REDIS_PASSWORD", "value": "x"})),
        (keeps_secrets_in_files, lambda one: first(one)["env"].append({"name": "X", "value": "redis://u:p@h"})),
        (keeps_the_vault_closed, lambda one: pod(one)["securityContext"].pop("fsGroupChangePolicy")),
        (mounts_what_it_declares, lambda one: first(one)["volumeMounts"].pop()),
        (runs_one_image, lambda one: first(one).update(image="registry.example/claimstream:0.0.9")),
    ],
)
def test_a_breach_is_seen(policy: Callable[..., Any], spoil: Callable[[Document], object]) -> None:
    documents = copy.deepcopy(list(written()))
    spoil(next(one for one in documents if name_of(one) == "Deployment/claimstream-claims"))
    assert list(policy(documents)) != []


def args_of(component: str) -> list[str]:
    (found,) = (one for one in written() if name_of(one) == f"Deployment/claimstream-{component}")
    return [str(word) for word in first(found)["args"]]


@row("M52")
def test_every_actor_has_exactly_one_deployment_and_the_vault_goes_where_something_is_sealed() -> None:
    names = {route.actor for route in ROUTES if not (route.simulation or route.bank)}
    served: list[str] = []
    for component in SETS:
        actors = [word for word in args_of(component) if word in {route.actor for route in ROUTES}]
        served += actors
        (deployment,) = (one for one in written() if name_of(one) == f"Deployment/claimstream-{component}")
        mounted = {volume["name"] for volume in pod(deployment)["volumes"]}
        assert ({"vault", "master"} <= mounted) == seals(actors), component
    assert sorted(served) == sorted(names)


@needs_kustomize
@pytest.mark.parametrize("tree", ["overlays/production", "overlays/sentinel", "overlays/cluster"])
def test_with_a_bank_payments_is_served_too_and_whoever_needs_it_knows_the_bank(tree: str) -> None:
    """Every actor that there is, but the one that plays people: by exactly one Deployment, as it will be applied."""
    names = {route.actor for route in ROUTES}
    documents = rendered(tree)
    words = [word for one in of_kind(documents, "Deployment") for word in first(one)["args"] if word in names]
    assert sorted(words) == sorted(names - {"simulator"})
    of_payments = {
        owner
        for owner, template in pods(documents)
        for container in containers(template)
        if "CLAIMSTREAM_BANK__URL" in {variable["name"] for variable in container["env"]}
    }
    assert of_payments == {"Deployment/claimstream-claims", "Job/claimstream-prepare"}
    for owner, template in pods(documents):
        assert_own_passwords(owner, template)


def test_every_pod_has_the_passwords_of_its_own_users_and_no_other() -> None:
    for owner, template in pods(written()):
        assert_own_passwords(owner, template)


def assert_own_passwords(owner: str, template: Document) -> None:
    users = {
        item["key"]
        for volume in template["spec"]["volumes"]
        if volume.get("secret", {}).get("secretName") == "claimstream-store-users"
        for item in volume["secret"]["items"]
    }
    words = [str(word) for container in containers(template) for word in container.get("args", [])]
    if "run" in words:
        assert users == {"worker", *(route.actor for route in ROUTES if route.actor in words)}, owner
    elif "exporter" in words:
        assert users == {"monitor"}, owner


def test_everything_is_denied_first_and_only_store_names_bank_and_prometheus_are_let_through() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(written(), "NetworkPolicy")}
    deny = policies.pop("default-deny")
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ports = {
        port["port"]
        for spec in policies.values()
        for rule in (*spec.get("ingress", []), *spec.get("egress", []))
        for port in rule["ports"]
    }
    assert ports == {53, 443, 6379, 26379, "status", "redis"}
    assert all(rule.get("to") for spec in policies.values() for rule in spec.get("egress", []))
    assert all(rule.get("from") for spec in policies.values() for rule in spec.get("ingress", []))


def components_of(selector: Document) -> set[str]:
    """The components that a selector means."""
    return {
        value
        for one in selector["matchExpressions"]
        if one["key"] == "app.kubernetes.io/component" and one["operator"] == "In"
        for value in one["values"]
    }


def test_every_pod_that_runs_on_is_scraped_may_be_scraped_and_reaches_the_store() -> None:
    """A set that a selector forgets works, and nobody sees it."""
    running = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: one for one in of_kind(written(), "Deployment")
    }
    (monitor,) = of_kind(written(), "PodMonitor")
    assert components_of(monitor["spec"]["selector"]) == running.keys()
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(written(), "NetworkPolicy")}
    assert components_of(policies["claimstream-scrape"]["podSelector"]) == running.keys()
    for name in ("claimstream-store", "claimstream-store-outside"):
        assert components_of(policies[name]["podSelector"]) == running.keys() | {"prepare"}
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert all(endpoint["port"] in {port["name"] for port in first(one)["ports"]} for one in running.values())


@row("P33")
def test_the_readers_are_scaled_from_zero_on_the_true_backlog_and_nobody_else_is() -> None:
    (scaled,) = of_kind(written(), "ScaledObject")
    spec = scaled["spec"]
    assert spec["scaleTargetRef"]["name"] == "claimstream-projections"
    assert spec["minReplicaCount"] == 0
    (trigger,) = spec["triggers"]
    query = trigger["metadata"]["query"]
    assert 'claimstream_backlog_entries{job="claimstream-exporter"' in query
    groups = query.partition('group=~"')[2].partition('"')[0].split("|")
    actors = {route.actor for route in ROUTES if route.group in groups}
    assert actors == {word for word in args_of("projections") if word in {route.actor for route in ROUTES}}
    assert float(trigger["metadata"]["activationThreshold"]) == 0
    (target,) = (one for one in written() if name_of(one) == "Deployment/claimstream-projections")
    assert "replicas" not in target["spec"], "an apply would take back what the scaler decided"


def test_every_set_may_be_drained_and_every_scaled_set_is_spread() -> None:
    budgets = {
        one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]: one["spec"]
        for one in of_kind(written(), "PodDisruptionBudget")
    }
    assert budgets.keys() == set(SETS)
    assert all(spec["maxUnavailable"] == 1 for spec in budgets.values())
    for component in ("projections", "notices"):
        (found,) = (one for one in written() if name_of(one) == f"Deployment/claimstream-{component}")
        keys = {spread["topologyKey"] for spread in pod(found)["topologySpreadConstraints"]}
        assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


def test_the_namespace_refuses_pods_that_are_not_restricted() -> None:
    (namespace,) = of_kind(written(), "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_jobs_prepare_before_they_look() -> None:
    (job,) = (one for one in written() if name_of(one) == "Job/claimstream-prepare")
    assert [container["args"] for container in containers(job["spec"]["template"])] == [
        ["prepare"],
        ["doctor"],
    ]


def test_the_copy_of_the_servers_configuration_is_the_tested_one() -> None:
    copied = KUBERNETES / "components" / "redis" / "claimstream.conf"
    assert copied.read_text() == (DEPLOY / "redis" / "claimstream.conf").read_text()


@row("M51")
@pytest.mark.parametrize("path", ["kubernetes/base", "kubernetes/overlays/cluster", "compose"])
def test_the_settings_of_a_deployment_load_over_the_profile_of_production(path: str, tmp_path: Any) -> None:
    from config.loading import load as load_settings

    file = DEPLOY / path / "claimstream.toml"
    users = tmp_path / "users"
    users.mkdir()
    (users / "worker").write_text("secret\n")
    told = {"CLAIMSTREAM_CONFIG": str(file), "CLAIMSTREAM_STORE__URL": "redis://redis:6379/0"}
    settings = load_settings("production", environment={**told, "CLAIMSTREAM_STORE__OPTIONS__USERS_DIR": str(users)})
    assert settings.profile == "production"
    assert settings.store.address("worker").username == "worker"
    assert tomllib.loads(file.read_text())["store"]["options"]["users_dir"] == "/run/secrets/claimstream"


@needs_kustomize
@row("M51")
@pytest.mark.parametrize("tree", [tree for tree in TREES if tree.startswith("overlays/")])
def test_every_overlay_names_a_store_whose_address_we_can_read(tree: str) -> None:
    from runtime.store.address import StoreAddress

    (store,) = (
        one for one in rendered(tree) if one["metadata"]["name"].startswith("claimstream-store-") and "data" in one
    )
    address = StoreAddress.parse(store["data"]["url"])
    wanted = {"sentinel": address.service is not None, "cluster": address.cluster, "production": address.tls}
    assert wanted.get(tree.partition("/")[2], True)


@needs_kustomize
@row("P33")
def test_production_has_a_scaled_object_and_a_pod_monitor() -> None:
    kinds = {document["kind"] for document in rendered("overlays/production")}
    assert {"ScaledObject", "PodMonitor", "PodDisruptionBudget", "NetworkPolicy"} <= kinds


def test_the_first_files_of_the_tree_are_found() -> None:
    assert len(load(KUBERNETES / "base" / "disruption.yaml")) == len(SETS)
    assert any(is_ours(container) for _, template in pods(written()) for container in containers(template))
