"""The targets that there are, by the name that `--target` takes. A target's module is imported when it is chosen."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.campaign.target import Target, Wanted

TARGETS = {
    "embedded": "tests.chaos.campaign.embedded_target:EmbeddedTarget",
    "sentinel": "tests.chaos.topologies.campaign_targets:SentinelTarget",
    "cluster": "tests.chaos.topologies.campaign_targets:ClusterTarget",
}
"""Name -> `module:class`; the class takes a `Wanted`."""


def make(name: str, wanted: Wanted) -> Target:
    """The target of that name, not started. Raises `KeyError` for a name that is not there."""
    module, _, attribute = TARGETS[name].partition(":")
    target: Target = getattr(import_module(module), attribute)(wanted)
    return target
