"""The table of actors: what everything else takes for granted."""

from __future__ import annotations

from workers.routing import ROUTES


def test_a_group_name_is_unique_over_all_logs_because_health_and_metrics_name_it_alone() -> None:
    names = [route.group for route in ROUTES]
    assert len(names) == len(set(names))
