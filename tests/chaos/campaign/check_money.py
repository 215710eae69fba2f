"""I11 for money: by the bank's own books, each payment left once, of the amount that a fact states."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.chaos.campaign.evidence import CLAIMS
from tests.chaos.campaign.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.campaign.evidence import Evidence


def money_left_once(seen: Evidence) -> Iterator[Violation]:
    """Orders against facts, payment by payment. Nothing to say where there was no bank."""
    if not seen.bank_orders:
        return
    initiated, completed = _payments(seen, "claim.payment.initiated"), _payments(seen, "claim.payment.completed")
    orders: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for order in seen.bank_orders:
        orders[order["paymentId"]].append(order)
    for payment, made in orders.items():
        keys = sorted(order["key"] for order in made)
        if len(keys) > 1:
            yield Violation("I11", f"payment {payment} was ordered under {len(keys)} keys: {keys}")
        if payment not in initiated:
            yield Violation("I11", f"payment {payment} was ordered, and no fact initiated it")
            continue
        wanted = initiated[payment][0]["amount"]
        for order in made:
            if (order["amount"], order["currency"]) != (wanted["minor"], wanted["currency"]):
                yield Violation("I11", f"payment {payment}: {order['amount']} left, the fact says {wanted}")
        if len(completed.get(payment, [])) != 1:
            yield Violation("I11", f"payment {payment} left, and {len(completed.get(payment, []))} facts say so")
    for payment in completed.keys() - orders.keys():
        yield Violation("I11", f"payment {payment} counts as completed, and the bank knows nothing of it")
    yield from _never_ordered(seen, set(orders))


def _never_ordered(seen: Evidence, ordered: set[str]) -> Iterator[Violation]:
    """Each fact that the payments actor applied is an order, or is accounted for in its records."""
    for name, partition in seen.places():
        if name != CLAIMS or "payments" not in seen.groups(name, partition):
            continue
        outcomes = seen.dump.hashes.get(seen.key("payments:outcomes", partition), {})
        ended = {key.partition("/")[0]: json.loads(value)["state"] for key, value in outcomes.items()}
        known = " ".join(outcomes)
        for entry in seen.due(name, "payments", partition):
            if entry.named["eventType"] == "claim.payment.initiated":
                payment = json.loads(entry.named["data"])["paymentId"]
                if payment not in ordered and payment not in known and payment not in ended:
                    yield Violation("I11", f"payment {payment} was initiated and applied, and the bank never had it")


def _payments(seen: Evidence, kind: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for rows in seen.facts().values():
        for entry in rows:
            if entry.named["eventType"] == kind:
                body = json.loads(entry.named["data"])
                found[body["paymentId"]].append(body)
    return found
