"""Every PromQL expression of deploy/ that stands outside of the rules: panels of dashboards, queries of the scaler."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

METRIC = re.compile(r"\bclaimstream(?:_\w+|:[\w:]+)")
"""A metric of ours, or a figure that a rule records."""


def panel_expressions(root: Path) -> dict[str, str]:
    """Expression of each target of each panel, under `dashboard: panel A`."""
    found: dict[str, str] = {}
    for path in sorted((root / "deploy" / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = target["expr"]
    return found


def scaler_expressions(root: Path) -> dict[str, str]:
    """Query of each trigger of each ScaledObject."""
    file = root / "deploy" / "kubernetes" / "components" / "keda" / "scaled-object.yaml"
    scaled = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {
        f"{scaled['metadata']['name']}: trigger {number}": trigger["metadata"]["query"]
        for number, trigger in enumerate(scaled["spec"]["triggers"])
    }


def expressions_as_rules(root: Path) -> tuple[str, int]:
    """A rule file with all of them, as promtool reads one, and how many they are."""
    found = panel_expressions(root) | scaler_expressions(root)
    rules = [
        {"record": f"checked:{number}", "expr": expression, "labels": {"where": where}}
        for number, (where, expression) in enumerate(found.items())
    ]
    return yaml.safe_dump({"groups": [{"name": "checked", "rules": rules}]}), len(found)
