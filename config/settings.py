"""Every setting there is, as one frozen tree. A new component adds its options struct here, and nowhere else.

Units and reasons stand beside each field in the struct that owns it; the profiles repeat them beside the
values.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from runtime.archive.options import ArchiveOptions
from runtime.embedded.options import EmbeddedOptions
from runtime.fleet.worker import FleetOptions
from runtime.host_options import HostOptions
from runtime.stopping import StopOptions
from runtime.store.address import DEFAULT_PORT, Secret, StoreAddress
from runtime.store.checks import StoreExpectations
from runtime.store.credentials import as_user
from runtime.store.opening import StoreOptions


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which store, and how it is used."""

    #: `embedded`: the server that comes along; `external`: one that runs already, at `url` or at host and
    #: port.
    mode: Literal["embedded", "external"] = "embedded"
    #: redis://, rediss://, unix://, redis+sentinel://host,host/service or redis+cluster://host,host; above host and
    #: port. May carry user and password, so it is never printed.
    url: Secret | None = None
    #: Name or address of the server.
    host: str = "localhost"
    #: TCP port of the server.
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = DEFAULT_PORT
    #: User of the store; None: its `default` user.
    username: str | None = None
    #: Password; fills a URL that brings none. `password_file` names a file with it.
    password: Secret | None = None
    #: User and password of the Sentinels, which have users of their own; None: they ask for none.
    sentinel_username: str | None = None
    sentinel_password: Secret | None = None
    #: How this process talks to the store.
    options: StoreOptions = StoreOptions()

    def address(self, user: str | None = None) -> StoreAddress:
        """Give the address of an external store. Raises `BadStoreAddress`.

        `user`: who we are there when nothing says it but `options.users_dir`, the directory of all passwords.
        """
        if self.url is not None:
            found = StoreAddress.parse(self.url.reveal()).with_password(self.password)
            found = found.asking_as(self.sentinel_username, self.sentinel_password)
        else:
            found = StoreAddress(host=self.host, port=self.port, username=self.username, password=self.password)
        folder = self.options.users_dir
        if user is None or folder is None or found.username or found.password:
            return found
        return as_user(found, folder, user)

    @property
    def clustered(self) -> bool:
        """Whether it is a Redis Cluster: every name then carries the tag of its partition."""
        return self.mode == "external" and self.address().cluster


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event log. Fixed when it is created; another value later is refused at the start."""

    #: Partitions. 1 gives the plain key names; more spread groups over processes, at most one process each.
    partitions: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    #: Whether entries that a foreign program writes straight on the log count as requests. Never in
    #: production: who may write the log may forge a sequence or trim it, and no ACL prevents that (S12).
    adopt_raw_entries: bool = False


class PrivacySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the keys of persons lie: outside of the store and of its backups."""

    #: SQLite file of the key vault. None: `keys.sqlite` beside the data directory of the embedded store.
    vault: str | None = None
    #: File with the master key (base64, 32 bytes), mode 0600. None: CLAIMSTREAM_MASTER_KEY, else one that is
    #: made beside the vault (`local` and `test` only).
    master_key_file: str | None = None


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How notifications leave."""

    #: File of the log-file channel. None: `notifications.jsonl` beside the data directory.
    log_file: str | None = None


class RosterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who handles claims."""

    #: TOML file with the adjusters: licences, lines, skill, role, capacity, absences. None: the invented ones of the
    #: demonstration. Read once, at the start.
    file: str | None = None


class BankSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bank that pays out. Without `url` nobody pays: payments wait until somebody brings the bank's answer."""

    #: Base address of the bank's interface, http:// or https://. None: there is no bank, and no payments actor.
    url: str | None = None
    #: Bearer token of the interface; `token_file` names a file with it. None: the bank asks for none.
    token: Secret | None = None
    #: Seconds that one call may take. 10: a bank that is slower than that is treated as away, and asked again.
    call_seconds: Annotated[float, msgspec.Meta(gt=0, le=300)] = 10.0
    #: Hours that the bank remembers an idempotency key. A payout with an unknown outcome that is older than that is
    #: never sent again by itself: it goes to the reconciliation list. 24: what most payment interfaces promise.
    key_hours: Annotated[float, msgspec.Meta(gt=0)] = 24.0
    #: Tries of one payout that the bank could not take, before a person must look. 12: about two hours.
    attempts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 12
    #: Seconds before the first of them is repeated; doubled each time, 1800 at most. 4: a restart of the bank.
    retry_seconds: Annotated[float, msgspec.Meta(gt=0)] = 4.0
    #: Seconds between two looks for the bank's messages. 1: people wait for nothing longer than for money.
    poll_seconds: Annotated[float, msgspec.Meta(gt=0)] = 1.0

    def __post_init__(self) -> None:
        """The address is one (ValueError)."""
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"bank.url is {self.url!r}: expected http://HOST:PORT or https://HOST")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one process."""

    #: Name of the profile that these started from.
    profile: str = "local"
    store: StoreSettings = StoreSettings()
    embedded: EmbeddedOptions = EmbeddedOptions()
    #: What the store must offer before a process starts on it.
    expect: StoreExpectations = StoreExpectations()
    log: LogSettings = LogSettings()
    archive: ArchiveOptions = ArchiveOptions()
    privacy: PrivacySettings = PrivacySettings()
    channels: ChannelSettings = ChannelSettings()
    roster: RosterSettings = RosterSettings()
    bank: BankSettings = BankSettings()
    host: HostOptions = HostOptions()
    stopping: StopOptions = StopOptions()
    fleet: FleetOptions = FleetOptions()

    def __post_init__(self) -> None:
        """Rules between components (ValueError); those inside one are its own."""
        read, client = self.host.serving.read.block_ms, self.store.options.clients.block_ms
        if read > client:
            raise ValueError(
                f"host.serving.read.block_ms ({read}) must not be above store.options.clients.block_ms "
                f"({client}): the socket would time out under a read that only waits"
            )
        drain = self.stopping.drain_seconds + self.stopping.cancel_seconds
        if drain > self.fleet.drain_seconds:
            raise ValueError(
                f"stopping.drain_seconds + stopping.cancel_seconds ({drain:g}) must not be above "
                f"fleet.drain_seconds ({self.fleet.drain_seconds:g}): a worker would be killed in its drain"
            )
        if self.profile == "production":
            self._refuse_in_production()

    def _refuse_in_production(self) -> None:
        """What no switch may turn off there (ValueError)."""
        expect = self.expect
        rules = {
            "store.mode must be external: the embedded server is for laptops and tests": (
                self.store.mode == "external"
            ),
            "log.adopt_raw_entries must be false: who may write the log may forge it": (not self.log.adopt_raw_entries),
            "expect.require_append_only must be true: a restart would lose all": expect.require_append_only,
            "expect.require_noeviction must be true: the log itself may go": expect.require_noeviction,
            "bank.url needs expect.appendfsync = always and expect.require_appendfsync = true: a payout may not be"
            " forgotten": (self.bank.url is None or (expect.appendfsync == "always" and expect.require_appendfsync)),
        }
        for rule, kept in rules.items():
            if not kept:
                raise ValueError(f"profile production: {rule}")
