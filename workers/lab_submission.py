"""A first notice of loss in the lab's words (source-systems.md B2), typed by a person: a command, or refused.

The claim id is the caller's `id`, or made from a reference: the same reference is the same claim for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.requests import Raw, Rejected, Wish, read_request
from workers.adoption import UNKNOWN_JURISDICTION
from workers.claim_log import wire_time
from workers.zones import zone_of

if TYPE_CHECKING:
    from datetime import datetime

    from workers.application import Application

SOURCE = "claimstream"
"""The source of claims that get their id here."""


class NotALabBody(ValueError):
    """The text is no JSON object."""


async def read_lab_body(app: Application, text: bytes, reference: str, now: datetime) -> Wish | Rejected:
    """The wish of one body. Raises `NotALabBody`. `reference` names the claim when the body has no `id`."""
    body = _object(text)
    given = body.get("id")
    claim_id = given if isinstance(given, str) and given else app.sealer.claim_id(SOURCE, reference)
    number = body.get("policyId") or body.get("policyNumber")
    policies = await app.policies.find([number] if isinstance(number, str) and number else [])
    policy = policies.get(str(number))
    raw = Raw("claim.submitted", claim_id, reference, wire_time(now), text.decode())
    jurisdiction = policy.jurisdiction if policy is not None else UNKNOWN_JURISDICTION
    wish = read_request(raw, jurisdiction=jurisdiction, zone=zone_of(jurisdiction))
    assert isinstance(wish, (Wish, Rejected)), "only a change of status is ever skipped"
    return wish


def _object(text: bytes) -> dict[str, object]:
    """The body, decoded leniently: the request reader judges it."""
    try:
        body = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise NotALabBody(f"the submission is no JSON: {problem}") from problem
    if not isinstance(body, dict):
        raise NotALabBody("the submission is no JSON object with policyId, customerId, amount ...")
    return body
