"""A submission of the auto set as the small fact structs that the calculating rules take."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from domain.adjudication import Adjudication, AssessedItem, adjudicate
from domain.calendar import local_day
from domain.coverage import LossFacts
from domain.money import Money, total
from domain.policy import inception
from domain.red_flags import RedFlagFacts
from domain.triage import TriageFacts
from workers.submissions import claimed_items

if TYPE_CHECKING:
    from workers.adapters.auto_row import AutoRow


def claimed(row: AutoRow) -> Money:
    """The sum of the items."""
    return total((item.claimed for item in claimed_items(row.submission)), row.submission.currency)


def loss_facts(row: AutoRow) -> LossFacts:
    """For `check_cover`."""
    notice = row.submission
    return LossFacts(
        loss_day=notice.loss_date,
        reported_day=local_day(notice.reported_at, UTC),
        peril=notice.peril,
        claimant_id=notice.claimant_id,
        items=claimed_items(notice),
    )


def triage_facts(row: AutoRow) -> TriageFacts:
    """For `tier` and `weight`."""
    notice = row.submission
    return TriageFacts(
        line=notice.line,
        peril=notice.peril,
        claimed=claimed(row),
        injured_count=notice.injured_count,
        theft=notice.peril == "vehicle_theft",
        total_loss=notice.severity == "total",
    )


def red_flag_facts(row: AutoRow) -> RedFlagFacts:
    """For `red_flags`: what the set itself can show, and the invented report."""
    notice = row.submission
    return RedFlagFacts(
        loss_day=notice.loss_date,
        reported_day=local_day(notice.reported_at, UTC),
        claimed=claimed(row),
        limit=row.policy.versions[0].limit,
        inception=inception(row.policy),
        injured_count=notice.injured_count,
        trivial_damage=notice.severity == "trivial",
        theft=notice.peril == "vehicle_theft",
        total_loss=notice.severity == "total",
        police_report=notice.police_report,
    )


def adjudicated(row: AutoRow) -> Adjudication:
    """Every item as claimed under the policy's only version, cover aside."""
    items = [AssessedItem(item.item_id, item.coverage, item.claimed) for item in claimed_items(row.submission)]
    return adjudicate(items, row.policy.versions[0])
