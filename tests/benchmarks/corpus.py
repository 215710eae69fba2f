"""Real events of the auto claims, made in memory: what the log would hold for whole claims, personal fields sealed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from domain import commands
from domain.bodies.base import Actor
from domain.context import Context
from domain.deciding import decide
from domain.outcome import Accepted
from domain.privacy import claim_subject, person_subject
from domain.process import advance
from runtime.clock import SystemClock
from runtime.store.keys import Keyspace
from workers.adapters.auto_portfolio import portfolio
from workers.adapters.key_vault import KeyVaultOptions, SqliteKeyVault
from workers.adapters.sealing import AesGcmSealer
from workers.claim_log import Cause, ClaimLog
from workers.keys import claim_log
from workers.roster import demo_roster
from workers.submissions import submit_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runtime.effects import Append
    from workers.adapters.auto_row import AutoRow

SENIOR = Actor(id="ADJ-016", role="senior_adjuster")

Fields = list[str]
"""One entry of the log as it travels: name, value, name, value ..."""


def units(claims: int) -> list[list[Append]]:
    """The appends of so many claims, each a list from the first notice on."""
    with tempfile.TemporaryDirectory(prefix="cs-corpus-") as folder:
        options = KeyVaultOptions(path=Path(folder) / "keys.sqlite", master_key_file=Path(folder) / "master.key")
        vault = SqliteKeyVault(options, environment={})
        vault.open()
        try:
            sealer = AesGcmSealer(vault, SystemClock())
            log = ClaimLog(Keyspace(claim_log(1)), sealer)
            return [list(_life(row, sealer, log)) for row in portfolio(claims)]
        finally:
            vault.close()


def entries(lives: Sequence[Sequence[Append]]) -> list[Fields]:
    """The entries of these claims in the order in which a busy log holds them: first all first notices, and so on."""
    steps = max(len(life) for life in lives)
    ordered = [life[step] for step in range(steps) for life in lives if step < len(life)]
    return [[_text(part) for part in event] for unit in ordered for event in unit.events]


def write(path: Path, claims: int) -> list[Fields]:
    """Write the corpus of so many claims, an entry per line; give it, too."""
    found = entries(units(claims))
    path.write_text("".join(json.dumps(one) + "\n" for one in found))
    return found


def read(path: Path) -> list[Fields]:
    """A corpus that was written."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def size(corpus: Sequence[Fields]) -> float:
    """Mean bytes of the fields of an entry, names included."""
    return sum(len(part.encode()) for one in corpus for part in one) / len(corpus)


def copied(fields: Fields, copy: int) -> Fields:
    """The same entry of another claim: other ids of the same length. Copy 0 is the entry itself."""
    if not copy:
        return fields
    changed = list(fields)
    changed[1] = f"{copy:08x}{fields[1][8:]}"
    changed[5] = f"{fields[5][:-8]}{copy:08d}"
    return changed


def _life(row: AutoRow, sealer: AesGcmSealer, log: ClaimLog) -> Iterator[Append]:
    """A claim is noticed, the process manager goes as far as it can, a person takes note and approves."""
    one = row.submission
    claim_id = sealer.claim_id(one.source, one.source_ref)
    sealer.prepare([claim_subject(claim_id), person_subject(one.claimant_id)])
    command = submit_command(one, claim_id, description=one.description, loss_location=one.loss_location)
    actor = Actor(id=one.claimant_id, role=one.reporter_role)
    answer = decide(None, command, Context(now=one.reported_at, actor=actor))
    if not isinstance(answer, Accepted):
        return
    unit, claim = log.append(None, answer, Cause(claim_id, claim_id))
    yield unit
    world = Context(now=one.reported_at, policy=row.policy, lookups=2, roster=demo_roster())
    steps: tuple[commands.Command | None, ...] = (
        None,
        commands.AddNote(kind="contact"),
        commands.ApproveClaim(),
        None,
    )
    for place, step in enumerate(steps):
        if step is None:
            answer = advance(claim, world)
        else:
            answer = decide(claim, step, Context(now=one.reported_at, actor=SENIOR, policy=row.policy))
        if isinstance(answer, Accepted) and answer.facts:
            unit, claim = log.append(claim, answer, Cause(f"{claim_id}-{place}", claim_id))
            yield unit


def _text(part: str | bytes) -> str:
    return part.decode() if isinstance(part, bytes) else part
