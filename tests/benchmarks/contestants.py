"""Who takes part in row B1, with which of its own settings, and how many events it gets.

The settings are the fastest that a trial on this project's machine found among those that each documents (see
docs/benchmarks/NOTES.md). A slower contestant gets fewer events, so that each is measured for seconds, not minutes.
"""

from __future__ import annotations

import msgspec

from tests.benchmarks.running import Program, node, ours, peer

BATCH = 500


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. `filled` contestants read the log of entries that the harness fills itself."""

    name: str
    label: str
    program: Program
    settings: dict[str, int] = {}
    share: float = 1.0
    """Events of it for each event of ours."""
    filled: bool = False
    peer: bool = True
    group_of_entries: bool = False
    """One handler call and one acknowledgement for many entries, without an answer for each."""


OURS = Contestant(
    name="claimstream", label="claimstream", program=ours("noop_worker"), filled=True, peer=False,
)  # fmt: skip
BARE = Contestant(
    name="bare", label=f"bare redis-py: XREADGROUP {BATCH} + XACK, nothing decoded", program=ours("bare_loop"),
    settings={"batch": BATCH}, filled=True, peer=False,
)  # fmt: skip

PEERS = (
    Contestant(
        name="faststream-batch", label=f"FastStream, batch of {BATCH} in one call",
        program=peer("peers", "faststream_peer"), settings={"batch": BATCH}, share=0.25, group_of_entries=True,
    ),
    Contestant(
        name="faststream", label="FastStream, one message per call", program=peer("peers", "faststream_peer"),
        settings={"batch": 0}, share=0.05,
    ),
    Contestant(
        name="taskiq", label="taskiq (Redis streams)", program=peer("peers", "taskiq_peer"),
        settings={"batch": 100, "concurrency": 100}, share=0.05,
    ),
    Contestant(
        name="docket", label="Docket", program=peer("peers", "docket_peer"),
        settings={"batch": 100, "concurrency": 100}, share=0.05,
    ),
    Contestant(
        name="streaq", label="streaQ", program=peer("peers", "streaq_peer"),
        settings={"batch": 16, "concurrency": 16}, share=0.05,
    ),
    Contestant(
        name="saq", label="SAQ", program=peer("saq", "saq_peer"), settings={"concurrency": 10}, share=0.05,
    ),
    Contestant(
        name="arq", label="arq", program=peer("arq", "arq_peer"), settings={"batch": 500, "concurrency": 100},
        share=0.05,
    ),
    Contestant(
        name="bullmq", label="BullMQ (Node)", program=node("bullmq_peer.mjs"), settings={"concurrency": 100},
        share=0.15,
    ),
)  # fmt: skip
