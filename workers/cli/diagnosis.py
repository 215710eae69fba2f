"""What `doctor` looks at beyond the server itself: the library, each log, who serves it, the key vault."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from runtime.errors import RuntimeFault
from runtime.store import functions
from runtime.store.checks import Finding, examine
from runtime.store.functions import LIBRARY, library_source
from runtime.store.keys import Keyspace
from runtime.store.reads import Reads
from runtime.store.revision import revision_of
from runtime.store.trouble import STORE_ERRORS, translated
from workers.adapters.key_vault import KeyVaultOptions, SqliteKeyVault
from workers.adapters.key_vault_file import KeyVaultDamaged
from workers.adapters.master_key import MasterKeyError
from workers.bootstrap import log_specs, vault_options
from workers.cli.survey import stored_specs, survey
from workers.keys import CLAIM_LOG, ClaimKeys
from workers.ports import KeyVaultUnavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from config.settings import Settings
    from runtime.store.address import StoreAddress
    from workers.cli.views import ClusterView, SeatView

CALLS = (
    ("FCALL", functions.APPEND, "0"),
    ("FCALL", functions.SETTLE, "0"),
    ("FCALL", functions.BEAT, "0"),
    ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"),
    ("CLIENT", "UNBLOCK", "0"),
    ("CLIENT", "ID"),
)
"""What the user of the store must be allowed to send."""


async def diagnose(client: Redis, settings: Settings, address: StoreAddress) -> list[Finding]:
    """Look at everything. Raises store faults when the store goes away meanwhile."""
    try:
        findings = await examine(
            client,
            settings.expect,
            functions=functions.ALL,
            calls=_calls(settings),
            tagged_keys=address.cluster,
            received=settings.store.options.received(address) if address.replicated else None,
        )
    except STORE_ERRORS as problem:
        raise translated(problem) from problem
    loaded, library = await _library(client)
    findings += [library, *await _partitions(client, settings)]
    if loaded:
        findings += await _cluster(client, settings)
        findings.append(await _forged(client, settings))
    findings.append(_vault(settings))
    return findings


def _calls(settings: Settings) -> tuple[tuple[str, ...], ...]:
    """What we must be allowed: as the one user of everything all of it, as one of many nothing of the others'."""
    return CALLS if settings.store.options.users_dir is None else ()


async def _library(client: Redis) -> tuple[bool, Finding]:
    """Whether the library is in the store, and whether it is ours to the letter."""
    try:
        libraries = await client.function_list(library=LIBRARY, withcode=True)
    except STORE_ERRORS as problem:
        seen = f"unknown: {translated(problem)}"
        return True, Finding("library", "warn", seen, "allow +function|list, or run doctor as an operator")
    if not libraries:
        return False, Finding("library", "warn", f"{LIBRARY} is not there", "`claimstream run` loads it")
    ours, texts = library_source(), _texts(libraries)
    revision = revision_of(ours)
    loaded = max(revision_of(text.decode(errors="replace")) for text in texts)
    if ours.encode() in texts:
        return True, Finding("library", "ok", f"{LIBRARY} revision {revision}, the text of this program")
    if loaded > revision:
        seen = f"{LIBRARY} revision {loaded}, newer than this program's {revision}"
        return True, Finding("library", "ok", seen, "it has what this program calls; upgrade the program soon")
    seen = f"{LIBRARY} revision {loaded}, this program's is {revision}"
    return True, Finding("library", "warn", seen, "`claimstream prepare` replaces it, or the next start that may")


def _texts(reply: object) -> list[bytes]:
    """Every text anywhere in the reply, whose shape differs between protocols."""
    if isinstance(reply, bytes):
        return [reply]
    if isinstance(reply, dict):
        return [text for value in reply.values() for text in _texts(value)]
    if isinstance(reply, (list, tuple)):
        return [text for value in reply for text in _texts(value)]
    return []


async def _partitions(client: Redis, settings: Settings) -> list[Finding]:
    """Whether the settings agree with the logs as they were made."""
    wanted = {spec.name: spec.partitions for spec in log_specs(settings)}
    stored = await stored_specs(Reads(client), log_specs(settings))
    if not stored:
        return [Finding("log", "warn", "no log is there yet", "`claimstream run` makes it")]
    return [
        Finding(
            "partitions",
            "fail",
            f"{spec.name} was made with {spec.partitions}, the settings say {wanted[spec.name]}",
            f"set log.partitions = {spec.partitions}",
        )
        for spec in stored
        if spec.partitions != wanted[spec.name]
    ] or [Finding("partitions", "ok", ", ".join(f"{spec.name} {spec.partitions}" for spec in stored))]


async def _cluster(client: Redis, settings: Settings) -> list[Finding]:
    """Positions, halts, leases and processes."""
    try:
        seen = await survey(client, settings, log_specs(settings))
    except RuntimeFault as problem:
        return [Finding("cluster", "fail", str(problem), "repair the findings above first")]
    return [*_halts(seen), _leases(seen), _processes(seen), _parked(seen)]


def _halts(seen: ClusterView) -> list[Finding]:
    """Partitions that do not go on by themselves: a halt is one of the partition, the rest are of a group."""
    found = {
        (f"partition {seat.partition} of {seat.log}" if seat.state == "halted" else _named(seat)): seat
        for seat in seen.seats
        if seat.state != "ok"
    }
    return [
        Finding("log state", "fail", f"{what} is {seat.state}: {seat.why}", _repair(seat))
        for what, seat in found.items()
    ] or [Finding("log state", "ok", f"{len(seen.logs)} logs, nothing is halted, torn or lost")]


def _repair(seat: SeatView) -> str:
    if "ROLLED BACK" in seat.why and ": the archive" in seat.why:
        return (
            "put the right store back and `claimstream resume`; or go on with what is left: `claimstream archive accept"
            " --reason ...` puts the lost entries aside, and `claimstream archive put-back DIRECTORY` puts them back"
        )
    log = "" if seat.log == CLAIM_LOG else f" --log {seat.log}"
    if "ROLLED BACK" in seat.why:
        return (
            "a server took over that had not received the last entries, or an older copy was restored: log, position"
            " and effects went back together, what left the store did not. Put the newer copy back, or accept the loss:"
            f" `claimstream resume {seat.partition}{log} --reason ...`"
        )
    return f"repair the cause, then `claimstream resume {seat.partition}{log} --reason ...`"


def _named(seat: SeatView) -> str:
    return f"{seat.log}/{seat.group}/{seat.partition}"


def _leases(seen: ClusterView) -> Finding:
    """Seats that nobody serves."""
    alone = [_named(seat) for seat in seen.seats if not seat.owner]
    if not alone:
        return Finding("leases", "ok", f"all {len(seen.seats)} seats are served")
    shown = ", ".join(alone[:3]) + (" ..." if len(alone) > 3 else "")
    advice = "start a process that runs them: `claimstream run`"
    return Finding("leases", "warn", f"{len(alone)} of {len(seen.seats)} seats are served by nobody: {shown}", advice)


def _processes(seen: ClusterView) -> Finding:
    """Processes that miss their heartbeats, or are of several versions."""
    idle = [process.name for process in seen.processes if process.state == "idle"]
    versions = sorted({process.version for process in seen.processes if process.version})
    if idle:
        advice = "look whether they are paused or cut off; their seats go to others by themselves"
        return Finding("processes", "warn", f"without heartbeat: {', '.join(idle)}", advice)
    if len(versions) > 1:
        return Finding("processes", "warn", f"versions {', '.join(versions)} side by side", "end the upgrade")
    return Finding("processes", "ok", f"{len(seen.processes)} alive")


def _parked(seen: ClusterView) -> Finding:
    count = sum(seat.parked for seat in seen.seats)
    if count:
        return Finding("parked", "warn", f"{count} entries could not be handled", "`claimstream parked list`")
    return Finding("parked", "ok", "nothing")


async def _forged(client: Redis, settings: Settings) -> Finding:
    """What the auditor named: entries that look like facts and that append did not write."""
    reads = Reads(client)
    specs = [spec for spec in await stored_specs(reads, log_specs(settings)) if spec.name == CLAIM_LOG]
    parts = [ClaimKeys(Keyspace(spec), partition) for spec in specs for partition in range(spec.partitions)]
    try:
        count = sum(await reads.many([("XLEN", keys.forged) for keys in parts]))
    except RuntimeFault as problem:
        return Finding("forged", "warn", f"unknown: {problem}", "run doctor as an operator")
    if not count:
        return Finding("forged", "ok", "nothing")
    advice = f"whoever may write {CLAIM_LOG} went past append: deploy/runbooks/ClaimstreamEntriesForged.md"
    return Finding("forged", "fail", f"{count} entries look like facts, and their claims do not know them", advice)


def _vault(settings: Settings) -> Finding:
    """Whether the key vault opens with the master key that there is. Makes nothing."""
    options: KeyVaultOptions = msgspec.structs.replace(vault_options(settings), create=False)
    if not Path(options.path).exists():
        return Finding(
            "key vault",
            "warn",
            f"{options.path} is not there",
            "`claimstream run` makes it (not in production)",
        )
    vault = SqliteKeyVault(options, environment=os.environ)
    try:
        vault.open()
    except (MasterKeyError, KeyVaultDamaged, KeyVaultUnavailable) as problem:
        return Finding("key vault", "fail", str(problem), "restore the vault, or give the right master key")
    vault.close()
    return Finding("key vault", "ok", f"{options.path} opens with its master key")
