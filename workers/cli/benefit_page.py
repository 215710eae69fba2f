"""The explanation of benefits as a person reads it: plain text, amounts under each other, sums that add up."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from domain.money import Money, decimal_text, total
from domain.reasons import EX_GRATIA
from workers.benefits import DECISIONS_IN_WORDS, ROLES_IN_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from domain.adjudication import Line
    from workers.benefits import Appeal, Benefits, Decided, Interest, Paid

WIDTH = 78
"""Columns of the page: it is printed and mailed."""

LABEL = 26
"""Columns of what stands before the amounts."""

AMOUNT = 13
"""Columns of an amount with its sign: up to -99,999,999.99; a larger one pushes its line to the right."""

ACROSS = 3
"""Items side by side; the total stands right of the last of them."""


def benefit_page(found: Benefits) -> str:
    """The page. What was not decided says so in one line."""
    if found.decision == "none":
        where = f" is {found.state}" if found.state else ""
        return f"{found.claim_id}{where}: nothing is decided yet"
    parts = [_head(found), _table(found), _reasons(found), _money(found), _appeal(found), _file(found)]
    return "\n\n".join(part for part in parts if part)


def _head(found: Benefits) -> str:
    title = "EXPLANATION OF BENEFITS"
    version = f", version {found.policy_version}" if found.policy_version is not None else ""
    when = f" on {found.decided_on}" if found.decided_on is not None else ""
    rows = [
        ("Claim", found.claim_id),
        ("Policy", f"{found.policy_number or 'none named'}{version}, as it was on the day of the loss"),
        ("Loss", f"{found.line}, {found.peril or 'cause not named'}, on {found.loss_date}"),
        ("Reported", str(found.reported_on)),
        ("Decision", f"{DECISIONS_IN_WORDS.get(found.decision, found.decision)}{when}"),
    ]
    return "\n".join([title, "=" * len(title), *(f"{name:<10}{value}" for name, value in rows)])


def _table(found: Benefits) -> str:
    """Steps down, items across; a step that takes nothing off any item is left out."""
    if not found.items:
        return f"Claimed {found.claimed}. No item was worked out: the claim fails as a whole."
    chunks = [found.items[start : start + ACROSS] for start in range(0, len(found.items), ACROSS)]
    blocks = [_block(chunk, found.items if chunk is chunks[-1] else ()) for chunk in chunks]
    return "\n\n".join(blocks) + f"\n(all amounts in {found.claimed.currency})"


def _block(items: Sequence[Line], every: Sequence[Line]) -> str:
    """Some items, and with `every` the total of all of them."""
    headings = [line.coverage or line.item_id for line in items] + (["total"] if every else [])
    lines = [" " * LABEL + "".join(f"{name[: AMOUNT - 1]:>{AMOUNT}}" for name in headings)]
    for label, sign, of in _steps(items, every):
        amounts = [of(line) for line in items]
        if every:
            amounts.append(total((of(line) for line in every), every[0].claimed.currency))
        if label in _RESULTS:
            lines.append(" " * LABEL + "".join(f"{'-' * (AMOUNT - 2):>{AMOUNT}}" for _ in amounts))
        lines.append(f"{label:<{LABEL}}" + "".join(f"{_amount(sign, amount):>{AMOUNT}}" for amount in amounts))
    return "\n".join(lines)


_COVERED = "= covered by the policy"
_RESULTS = (_COVERED, "= we pay")

Step = tuple[str, str, "Callable[[Line], Money]"]


def _steps(items: Sequence[Line], every: Sequence[Line]) -> Iterator[Step]:
    """The steps of the adjudication that took something off, and its results."""
    looked_at = every or items
    all_steps: tuple[Step, ...] = (
        ("You claimed", "", lambda line: line.claimed),
        ("- not payable", "-", lambda line: line.disallowed),
        ("- wear and age", "-", lambda line: line.depreciation),
        (_COVERED, "", lambda line: line.covered),
        ("- your deductible", "-", lambda line: line.deductible),
        ("- your share", "-", lambda line: line.coinsurance or _none(line)),
        ("- your copay", "-", lambda line: line.copay or _none(line)),
        ("- above the limit", "-", lambda line: line.over_limit),
        ("= we pay", "", lambda line: line.net),
    )
    reduced = any(line.disallowed.minor or line.depreciation.minor for line in looked_at)
    # What is given ex gratia is not covered, and a letter that said so would admit that it is owed.
    given = any(EX_GRATIA in line.reason_codes for line in looked_at)
    for label, sign, of in all_steps:
        taken = any(of(line).minor for line in looked_at)
        if (sign and taken) or (not sign and ((reduced and not given) or label != _COVERED)):
            yield label, sign, of


def _none(line: Line) -> Money:
    return Money(0, line.claimed.currency)


def _amount(sign: str, amount: Money) -> str:
    return f"{sign if amount.minor else ''}{decimal_text(amount, grouping=True)}"


def _reasons(found: Benefits) -> str:
    if not found.reasons:
        return ""
    lines = ["Why" if found.decision == "denied" else "Why not all of it"]
    for reason in found.reasons:
        basis = f" Policy: {reason.provision}." if reason.provision else ""
        lines += _wrapped(f"{reason.words[:1].upper()}{reason.words[1:]}.{basis} [{reason.code}]")
    return "\n".join(lines)


def _money(found: Benefits) -> str:
    """What the policy pays at most, what was approved, paid, is still owed; interest in a line of its own."""
    rows: list[tuple[str, Money, str]] = []
    if found.limit is not None and found.decision != "denied":
        rows.append(("The policy pays at most", found.limit, ""))
    if found.decision != "denied" or found.approved.minor:
        rows.append(("Approved", found.approved, ""))
    rows += [("Interest for late payment", one.amount, _rate(one)) for one in found.interest]
    rows += [(f"Paid on {paid.on}", paid.amount, _reference(paid)) for paid in found.payments]
    if rows:
        rows.append(("Still to be paid", found.balance, ""))
    return "\n".join(f"{label:<{LABEL}}{_figure(amount)} {amount.currency}{more}" for label, amount, more in rows)


def _figure(amount: Money) -> str:
    return f"{decimal_text(amount, grouping=True):>{AMOUNT}}"


def _rate(one: Interest) -> str:
    percent = f"{one.basis_points // 100}.{one.basis_points % 100:02d}".rstrip("0").rstrip(".")
    return f"  ({percent} % a year for {one.days} days)"


def _reference(paid: Paid) -> str:
    kind = "" if paid.kind == "indemnity" else f"{paid.kind}, "
    return f"  ({kind}reference {paid.reference})"


def _appeal(found: Benefits) -> str:
    appeal = found.appeal
    if appeal is None:
        return ""
    return "\n".join(["If you do not agree", *_wrapped(_right(appeal)), *_wrapped(_progress(appeal))])


def _right(appeal: Appeal) -> str:
    return (
        f"You, or somebody whom you name, may appeal until {appeal.by}. Somebody who had no part in this decision "
        f"looks at it again. You may also turn to the regulator: {appeal.regulator}."
    )


def _progress(appeal: Appeal) -> str:
    if appeal.filed_on is None:
        return ""
    if not appeal.outcome:
        return f"An appeal was filed on {appeal.filed_on}; it is not decided yet."
    stands = "the decision stands" if appeal.outcome == "upheld" else "the claim is decided anew"
    return f"An appeal was filed on {appeal.filed_on}, and decided on {appeal.decided_on}: {stands}."


def _file(found: Benefits) -> str:
    if found.decided is None:
        return ""
    return "\n".join(["For the file, not for the claimant", *_wrapped(_decider(found.decided, found.state))])


def _decider(decided: Decided, state: str) -> str:
    held = decided.authority
    who = decided.by or "nobody on record"
    if decided.straight_through:
        said = f"Decided by the rules without a person (rules {decided.rule_version}); a person looks at it when asked."
    else:
        said = f"Decided by {who}"
        if held is not None:
            most = f"up to {_money_text(held.limit)}" if held.limit is not None else "without a limit"
            said += f", {ROLES_IN_WORDS.get(held.role, held.role)}, who may decide {most}"
            said += f"; the claim stands at {_money_text(held.cumulative)}"
        said += f" (rules {decided.rule_version})." if decided.rule_version else "."
    if decided.proposed_by and decided.proposed_by != decided.by:
        said += f" Proposed by {decided.proposed_by}."
    return f"{said} The claim is {state}."


def _money_text(amount: Money) -> str:
    return f"{decimal_text(amount, grouping=True)} {amount.currency}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ") if text else []
