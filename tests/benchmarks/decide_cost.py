"""What a decision costs, in microseconds per fact: decide, evolve, validation, assignment (floor: below 40).

Run: `python -m tests.benchmarks.decide_cost [CLAIMS]` from the root. It plays whole claims in memory, from
submission over validation, reserve and assignment among 15 adjusters to approval, payment and closing, and
prints processor time and memory per fact.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from typing import TYPE_CHECKING

from msgspec.structs import replace

from domain import commands as c
from domain.claim import decode_claim, encode_claim
from domain.deciding import decide
from domain.events import NewFact, encode_body
from domain.money import Money
from domain.outcome import Accepted
from domain.process import advance
from tests.support.claims import BANK, CLAIMANT, SENIOR, adjuster, context, notice, roster

if TYPE_CHECKING:
    from domain.bodies.base import Actor
    from domain.context import Context


def play(number: int, world: Context, parties: dict[str, Context]) -> list[NewFact]:
    """One claim from first notice to closing; the facts."""
    submit = replace(notice(), claim_id=f"CLM-{number:08d}", source_ref=str(number))
    answer = decide(None, submit, parties["claimant"])
    assert isinstance(answer, Accepted)
    facts = list(answer.facts)
    claim = answer.claim
    steps: tuple[tuple[c.Command, str], ...] = (
        (c.AddNote(kind="contact"), "senior"),
        (c.ApproveClaim(), "senior"),
    )
    answer = advance(claim, world)
    facts += answer.facts
    claim = answer.claim
    for command, who in steps:
        decided = decide(claim, command, parties[who])
        assert isinstance(decided, Accepted), str(decided)
        followed = advance(decided.claim, world)
        facts += decided.facts + followed.facts
        claim = followed.claim
    pending = claim.pending
    assert pending is not None
    paid = c.ConfirmPayment(payment_id=pending.id, amount=Money(pending.amount, "USD"), provider_ref="B")
    decided = decide(claim, paid, parties["bank"])
    assert isinstance(decided, Accepted), str(decided)
    followed = advance(decided.claim, world)
    return facts + list(decided.facts + followed.facts)


def _cost(claims: int, world: Context, parties: dict[str, Context]) -> float:
    """Microseconds of processor time per fact."""
    begin = time.process_time()
    count = sum(len(play(number, world, parties)) for number in range(claims))
    return (time.process_time() - begin) / count * 1e6


def main() -> None:
    """Measure and print."""
    claims = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    people = tuple(adjuster(f"ADJ-{n:03d}", load=n % 7, capacity=40) for n in range(15))
    world = context(roster=roster(*people))

    def as_(who: Actor) -> Context:
        return replace(world, actor=who)

    parties = {"claimant": as_(CLAIMANT), "senior": as_(SENIOR), "bank": as_(BANK)}
    play(0, world, parties)
    costs = sorted(_cost(claims // 10, world, parties) for _ in range(10))
    print(f"{costs[0]:.1f} us per fact at best, {costs[5]:.1f} median of 10 rounds")  # noqa: T201
    facts = play(1, world, parties)
    begin = time.process_time()
    for _ in range(200):
        for fact in facts:
            encode_body(fact.body)
    spent = (time.process_time() - begin) / 200 / len(facts)
    print(f"{spent * 1e6:.1f} us to encode a body")  # noqa: T201
    answer = decide(None, notice(), parties["claimant"])
    assert isinstance(answer, Accepted)
    claim = advance(answer.claim, world).claim
    begin = time.process_time()
    for _ in range(2_000):
        decode_claim(encode_claim(claim))
    print(f"{(time.process_time() - begin) / 2_000 * 1e6:.1f} us to encode and decode a snapshot")  # noqa: T201
    tracemalloc.start()
    kept = [play(number, world, parties) for number in range(200)]
    size, peak = tracemalloc.get_traced_memory()
    facts_kept = sum(len(facts) for facts in kept)
    print(f"{size / facts_kept:.0f} bytes kept per fact, peak {peak / 1e6:.1f} MB")  # noqa: T201


if __name__ == "__main__":
    main()
