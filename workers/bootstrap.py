"""The composition root: settings -> store, vault, ports -> actors -> the plan of the cluster. Imported by the command
line only.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec.structs import replace

from domain.events import EVENTS, decode_body
from domain.rules import DEFAULT_RULES
from domain.sla import sla_book
from runtime.backoff import BackoffOptions
from runtime.clock import SystemClock
from runtime.cluster.registry import ProcessCard
from runtime.codec import OpenCodec
from runtime.plan import ActorPlan, ClusterPlan, LogPlan
from runtime.store.opening import open_store
from workers.adapters.bank import HttpBank, HttpBankOptions
from workers.adapters.key_vault import KeyVaultOptions, SqliteKeyVault
from workers.adapters.records import StoredOverflow
from workers.adapters.roster_file import SAMPLE, load_roster
from workers.adapters.sealing import AesGcmSealer, SealerOptions
from workers.adoption import Adoption
from workers.analytics import Analytics
from workers.application import Application
from workers.archivists import Archives
from workers.archivists import builders as archivist_builders
from workers.auditor import Auditor
from workers.bank_answers import BankAnswers
from workers.cache_invalidator import CacheInvalidator
from workers.channels.log_file import LogFileChannel, LogFileOptions
from workers.claim_log import EventCodec
from workers.claims_processor import ClaimsProcessor
from workers.dispatcher import Dispatcher
from workers.intake import Intake
from workers.keys import (
    CLAIM_LOG,
    claim_log,
    customer_log,
    notification_log,
    policy_log,
    request_log,
)
from workers.loss_index import LossIndex
from workers.notifier import Notifier
from workers.payments import PaymentOptions, Payments
from workers.playbook import Playbook
from workers.routing import groups, routes
from workers.sightings import Sightings
from workers.simulator import Simulator
from workers.timekeeper import Timekeeper
from workers.timing import WallTiming
from workers.version import VERSION
from workers.waiting_payees import WaitingPayees
from workers.work_lists import WorkLists

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from config.settings import Settings
    from runtime.actor import Actor
    from runtime.clock import Clock
    from runtime.serving.ticker import TimedActor
    from runtime.signals import Bus
    from runtime.store.address import StoreAddress
    from runtime.store.keys import LogSpec
    from workers.adapters.roster_file import Staff
    from workers.timing import Timing

BODIES_KEPT = 1024
"""Decoded bodies that the groups of one process share: two batches of 500. 2 MB."""


def log_specs(settings: Settings) -> list[LogSpec]:
    """Every log of the application."""
    partitions, tagged = settings.log.partitions, settings.store.clustered
    return [
        claim_log(partitions, tagged=tagged),
        request_log(partitions, tagged=tagged),
        notification_log(partitions, tagged=tagged),
        policy_log(tagged=tagged),
        customer_log(tagged=tagged),
    ]


def beside_data(settings: Settings, name: str) -> Path:
    """A file beside the data directory of the embedded store: not in it, so that a backup of one is not one of both."""
    return Path(settings.embedded.data_dir).parent / name


def archive_directory(settings: Settings) -> Path | None:
    """Where the archive lies; None: there is none. Beside the data directory, under its own name, not in it."""
    chosen = settings.archive
    if not chosen.enabled:
        return None
    if chosen.directory:
        return Path(chosen.directory)
    if settings.store.mode == "external":
        return None
    data = Path(settings.embedded.data_dir)
    return data.with_name(f"{data.name}.archive")


def archives_of(settings: Settings) -> Archives:
    """The archive, for those that read it."""
    return Archives(archive_directory(settings))


def vault_options(settings: Settings) -> KeyVaultOptions:
    """Where the key vault and its master key lie."""
    privacy = settings.privacy
    return KeyVaultOptions(
        path=Path(privacy.vault) if privacy.vault else beside_data(settings, "keys.sqlite"),
        master_key_file=(
            Path(privacy.master_key_file) if privacy.master_key_file else beside_data(settings, "master.key")
        ),
        create=settings.profile != "production",
    )


def staff_of(settings: Settings) -> Staff:
    """The adjusters that the settings name. Raises `RosterError`."""
    return load_roster(Path(settings.roster.file) if settings.roster.file else SAMPLE)


def pays_out(settings: Settings, *, simulation: bool) -> bool:
    """Is there a bank? A simulation plays its own."""
    return settings.bank.url is not None and not simulation


def groups_of(settings: Settings, *, simulation: bool = False) -> dict[str, list[str]]:
    """The consumer groups of each log, as these settings want them."""
    return groups(
        simulation=simulation,
        bank=pays_out(settings, simulation=simulation),
        archive=archive_directory(settings) is not None,
    )


def open_vault(settings: Settings, *, sealing: bool = True) -> SqliteKeyVault:
    """The key vault; closed where nothing has to be sealed, so that a process that only reads needs no master key.

    Raises `MasterKeyError`, `KeyVaultDamaged`, `KeyVaultUnavailable`.
    """
    options = vault_options(settings)
    vault = SqliteKeyVault(options, environment=os.environ)
    if sealing:
        options.path.parent.mkdir(parents=True, exist_ok=True)
        vault.open()
    return vault


async def open_application(
    settings: Settings,
    address: StoreAddress,
    *,
    bus: Bus | None = None,
    timing: Timing | None = None,
    clock: Clock | None = None,
    simulation: bool = False,
    sealing: bool = True,
) -> Application:
    """Open roster, vault (when `sealing`) and store. Raises their errors; nothing stays open when one fails."""
    clock = clock or SystemClock()
    staff = staff_of(settings)
    vault = open_vault(settings, sealing=sealing)
    try:
        store = await open_store(
            address,
            log_specs(settings),
            groups_of(settings, simulation=simulation),
            options=settings.store.options,
            bus=bus,
        )
    except BaseException:
        vault.close()
        raise
    # A cipher at hand weighs 2.5 kB, and fetching a key again costs little: a batch works on 500 claims at most.
    sealer = AesGcmSealer(vault, clock, SealerOptions(cached_keys=1024))
    rules = replace(DEFAULT_RULES, sla=sla_book(overrides=staff.orders)) if staff.orders else DEFAULT_RULES
    return Application(store, vault, sealer, clock, timing or WallTiming(clock), staff.roster, rules)


def process_card(serves: tuple[str, ...] = ()) -> ProcessCard:
    """Who this process is; a new incarnation each time it starts."""
    return ProcessCard(
        incarnation=uuid4().hex[:16],
        host=socket.gethostname(),
        pid=os.getpid(),
        version=VERSION,
        started=SystemClock().now().isoformat(timespec="seconds"),
        serves=serves,
    )


def cluster_plan(
    app: Application, settings: Settings, *, simulation_seed: int | None = None, serves: Sequence[str] = ()
) -> ClusterPlan:
    """Logs and actors of the cluster; with a seed also the actors that play adjusters and bank."""
    claim_codec = EventCodec(tuple(EVENTS), decode_body, keep=BODIES_KEPT)
    codecs = {CLAIM_LOG: claim_codec}
    logs = [LogPlan(spec, codecs.get(spec.name, OpenCodec())) for spec in log_specs(settings)]
    simulation = simulation_seed is not None
    bank = pays_out(settings, simulation=simulation)
    builders = _builders(app, settings, simulation_seed)

    def acting(name: str) -> Application:
        # Who is not served here has no password here; his builder is never called.
        return app.acting_as(name) if not serves or name in serves else app

    if settings.store.options.users_dir is not None:  # each actor on the connections of its own user
        builders = {
            name: _builders(acting(name), settings, simulation_seed)[name]
            for name in builders
            if simulation or name != "simulator"
        }
    if bank:
        builders["payments"] = _payments(acting("payments"), settings)
    archive = archive_directory(settings)
    if archive is not None:
        for name in archivist_builders(app.store, archive, settings.archive, app.clock):
            own = acting(name).store
            builders[name] = archivist_builders(own, archive, settings.archive, app.clock)[name]
    actors = [
        ActorPlan(route.actor, route.group, route.log, builders[route.actor], route.timed)
        for route in routes(simulation=simulation, bank=bank, archive=archive is not None)
    ]
    return ClusterPlan(logs, actors)


def _builders(app: Application, settings: Settings, seed: int | None) -> dict[str, Callable[[int], Actor | TimedActor]]:
    """How each actor is made for a partition."""
    local = settings.log.adopt_raw_entries
    adopting = Adoption(app.claims, app.policies, app.claim_log, app.timing, app.rules)
    on_the_log = Adoption(app.claims, app.policies, app.claim_log, app.timing, app.rules, allowed=local)
    log_file = settings.channels.log_file or str(beside_data(settings, "notifications.jsonl"))

    def processor(partition: int) -> Actor:
        keys = app.claim_keys(partition)
        return ClaimsProcessor(
            app.claims,
            app.policies,
            app.payees,
            app.roster,
            app.claim_log,
            WorkLists(keys),
            on_the_log,
            app.timing,
            app.rules,
            LossIndex(app.store.reads, app.claim_keyspace, partition),
            StoredOverflow(app.store.reads, keys),
            Sightings(app.store.reads, app.claim_keyspace, partition),
            WaitingPayees(app.store.reads, keys),
        )

    def timekeeper(partition: int) -> TimedActor:
        return Timekeeper(
            app.store.reads,
            app.claims,
            app.payees,
            app.claim_log,
            app.claim_keys(partition),
            app.timing,
            app.rules,
        )

    def simulator(partition: int) -> Actor:
        del partition
        return Simulator(Playbook(seed or 1), app.claims, app.policies, app.claim_log, app.rules)

    channel = LogFileChannel(LogFileOptions(path=Path(log_file)), app.clock)
    return {
        "claims-processor": processor,
        "intake": lambda partition: Intake(adopting),
        "timekeeper": timekeeper,
        "simulator": simulator,
        "analytics": lambda partition: Analytics(app.claim_keys(partition), app.store.reads),
        "notifier": lambda partition: Notifier(app.claim_keys(partition)),
        "dispatcher": lambda partition: Dispatcher(app.claim_keys(partition), channel, app.store.reads, app.clock),
        "auditor": lambda partition: Auditor(
            app.claim_keys(partition),
            app.store.reads,
            app.store.histories(CLAIM_LOG, partition),
            tell=app.store.tell,
        ),
        "cache-invalidator": lambda partition: CacheInvalidator(app.claim_keys(partition)),
    }


def _payments(app: Application, settings: Settings) -> Callable[[int], Actor]:
    """How the payments actor is made for a partition; all of a process share one session with the bank."""
    chosen = settings.bank
    assert chosen.url is not None, "asked for only where there is a bank"
    token = chosen.token.reveal() if chosen.token is not None else None
    bank = HttpBank(HttpBankOptions(url=chosen.url, token=token, call_seconds=chosen.call_seconds))
    app.close_too(bank.aclose)
    options = PaymentOptions(
        attempts=chosen.attempts,
        backoff=BackoffOptions(first_seconds=chosen.retry_seconds, factor=2.0, cap_seconds=1800.0),
        key_hours=chosen.key_hours,
        poll_seconds=chosen.poll_seconds,
    )

    def payments(partition: int) -> Actor:
        keys = app.claim_keys(partition)
        answers = BankAnswers(app.claim_keyspace, keys, partition, app.claims, app.claim_log, app.timing, app.rules)
        return Payments(
            keys,
            bank,
            app.store.reads,
            app.claims,
            app.claim_log,
            answers,
            app.timing,
            app.clock,
            app.rules,
            options,
        )

    return payments
