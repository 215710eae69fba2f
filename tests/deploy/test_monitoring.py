"""What Prometheus, Grafana and people are given agrees with what the program exposes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from runtime.telemetry.metric_table import BY_NAME
from tests.deploy.expressions import METRIC, panel_expressions, scaler_expressions
from tests.deploy.manifests import DEPLOY, KUBERNETES, load
from tests.support.source_tree import ROOT

RULES = DEPLOY / "prometheus" / "rules" / "claimstream.yaml"
RUNBOOKS = DEPLOY / "runbooks"


def rules() -> list[dict[str, Any]]:
    (document,) = load(RULES)
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


def unknown_metrics(expression: str) -> set[str]:
    """Metrics of ours that an expression names and nobody exposes or records."""
    quoted = re.sub(r'"[^"]*"', '""', expression)
    named = set(METRIC.findall(quoted))
    exposed = {
        f"{name}{suffix}"
        for name, spec in BY_NAME.items()
        for suffix in (("", "_bucket", "_count", "_sum") if spec.kind == "histogram" else ("",))
    }
    return named - exposed - recorded()


def test_every_metric_of_a_rule_is_one_of_the_program() -> None:
    assert {rule["expr"]: unknown_metrics(rule["expr"]) for rule in rules() if unknown_metrics(rule["expr"])} == {}


def test_every_metric_of_a_panel_and_of_the_scaler_is_one_of_the_program() -> None:
    found = panel_expressions(ROOT) | scaler_expressions(ROOT)
    assert len(found) > 15
    assert {where: unknown_metrics(text) for where, text in found.items() if unknown_metrics(text)} == {}


def test_a_metric_that_nobody_exposes_is_seen() -> None:
    assert unknown_metrics("rate(claimstream_no_such_thing_total[5m])") == {"claimstream_no_such_thing_total"}


def test_labels_that_an_expression_asks_for_are_labels_of_the_metric() -> None:
    joined = {"job", "instance", "process", "le", "component"}
    found = []
    for expression in [*(rule["expr"] for rule in rules()), *panel_expressions(ROOT).values()]:
        for name, asked in re.findall(r"(claimstream_\w+)\{([^}]*)\}", expression):
            spec = BY_NAME.get(name) or BY_NAME[name.removesuffix("_bucket")]
            labels = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", asked))
            found += [f"{name} has no label {label}" for label in labels - joined - set(spec.labels)]
    assert found == []


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_every_alert_says_what_it_means_whom_it_wakes_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["for"]
    assert {"summary", "description"} <= alert["annotations"].keys()
    text = (RUNBOOKS / f"{alert['alert']}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {alert['alert']}\n")
    for part in ("**Meaning.**", "**Look.**", "**Do.**", "**Over when**"):
        assert part in text
    assert "claimstream " in text, "no command to look with"


PLANNED = {"region"}
"""Runbooks of what a person decides, not an alert; each names the test that drills it."""


def test_there_is_no_runbook_without_its_alert_or_its_drill() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {alert["alert"] for alert in alerts()} | PLANNED
    for name in PLANNED:
        (drill,) = re.findall(r"\*\*Drilled\*\* by `([^`]*)`", (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8"))
        assert (ROOT / drill).is_file()


def test_every_alert_is_tested_to_fire_and_to_stay_silent() -> None:
    (document,) = load(DEPLOY / "prometheus" / "tests.yaml")
    fires = {
        check["alertname"]: {bool(other["exp_alerts"]) for one in document["tests"] for other in one["alert_rule_test"]
                             if other["alertname"] == check["alertname"]}
        for one in document["tests"] for check in one["alert_rule_test"]
    }  # fmt: skip
    assert fires == {alert["alert"]: {True, False} for alert in alerts()}


def test_the_reasons_that_alerts_look_for_are_waits_that_runners_declare() -> None:
    from runtime.telemetry.progress import DECLARED_WAITS

    asked = {
        reason
        for expression in [*(rule["expr"] for rule in rules()), *panel_expressions(ROOT).values()]
        for reasons in re.findall(r'reason=~?"([^"]*)"', expression)
        for reason in reasons.split("|")
    }
    assert asked
    assert asked <= DECLARED_WAITS


def test_panels_have_numbers_and_places_of_their_own() -> None:
    for path in (DEPLOY / "grafana" / "dashboards").glob("*.json"):
        panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        cells = [
            (x, y)
            for panel in panels
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(set(cells)) == len(cells), "panels lie upon each other"
        assert max(x for x, _ in cells) < 24


def test_compose_and_kubernetes_name_the_jobs_that_the_alerts_mean() -> None:
    (configuration,) = load(DEPLOY / "prometheus" / "prometheus.yaml")
    in_compose = {job["job_name"] for job in configuration["scrape_configs"]}
    monitor = (KUBERNETES / "components" / "monitoring" / "pod-monitor.yaml").read_text(encoding="utf-8")
    on_kubernetes = set(re.findall(r"replacement: (\S+)", monitor))
    asked = {job for rule in rules() for job in re.findall(r'job="([^"]*)"', rule["expr"])}
    assert asked <= in_compose & on_kubernetes


def test_what_prometheus_and_grafana_mount_is_there() -> None:
    (compose,) = load(DEPLOY / "compose" / "compose.yaml")
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith(".") and "state" not in source:
                assert (DEPLOY / "compose" / source).exists(), f"{name}: {source}"


def test_the_store_of_compose_is_durable_and_closed() -> None:
    (compose,) = load(DEPLOY / "compose" / "compose.yaml")
    redis = compose["services"]["redis"]
    assert "ports" not in redis
    assert "--aclfile" in redis["command"]
    conf = (DEPLOY / "redis" / "claimstream.conf").read_text(encoding="utf-8")
    assert {"appendonly yes", "maxmemory-policy noeviction"} <= set(conf.splitlines())
    assert "/etc/redis/claimstream.conf" in redis["command"]


def test_every_service_of_compose_is_hardened() -> None:
    (compose,) = load(DEPLOY / "compose" / "compose.yaml")
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].partition(":")[0] != "0", name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} listens beyond this host"


def test_compose_ends_its_processes_within_their_drain() -> None:
    from config.loading import load as load_settings

    settings = load_settings("production", environment={})
    (compose,) = load(DEPLOY / "compose" / "compose.yaml")
    seconds = float(compose["services"]["worker"]["stop_grace_period"].removesuffix("s"))
    assert seconds > settings.fleet.drain_seconds + settings.fleet.kill_seconds


def test_the_files_are_yaml_without_anchors_left_open() -> None:
    for path in DEPLOY.rglob("*.yaml"):
        list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
