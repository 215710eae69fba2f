"""What every command and actor of one process works with: the opened store, the key vault, readers and writers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.rules import DEFAULT_RULES
from workers.adapters.records import LoadedRoster, RegisteredPayees, StoredClaims, StoredPolicies
from workers.claim_log import ClaimLog
from workers.keys import CLAIM_LOG, CUSTOMER_LOG, POLICY_LOG, ClaimKeys
from workers.loss_index import LossIndex

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from domain.roster import Roster
    from domain.rules import Rules
    from runtime.clock import Clock
    from runtime.store.keys import Keyspace
    from runtime.store.opening import OpenStore
    from workers.adapters.key_vault import SqliteKeyVault
    from workers.adapters.sealing import AesGcmSealer
    from workers.timing import Timing


class Application:
    """Made by `bootstrap.open_application`; closed with `close`."""

    def __init__(
        self,
        store: OpenStore,
        vault: SqliteKeyVault,
        sealer: AesGcmSealer,
        clock: Clock,
        timing: Timing,
        staff: Roster,
        rules: Rules = DEFAULT_RULES,
    ) -> None:
        """Joins the parts; opens nothing."""
        self._staff = staff
        self.store = store
        self.vault = vault
        self.sealer = sealer
        self.clock = clock
        self.timing = timing
        self.rules = rules
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self.claim_keyspace = self.keyspace(CLAIM_LOG)
        self.claims = StoredClaims(store.reads, self.claim_keyspace)
        self.policies = StoredPolicies(store.reads, self.keyspace(POLICY_LOG))
        self.payees = RegisteredPayees(store.reads, self.keyspace(CUSTOMER_LOG))
        self.claim_log = ClaimLog(self.claim_keyspace, sealer)
        self.roster = LoadedRoster(staff, store.reads, self.all_claim_keys())
        self.losses = LossIndex(store.reads, self.claim_keyspace, 0)

    def acting_as(self, user: str) -> Application:
        """The same application on the connections of another user of the store; itself where there is one user only.

        Closed with this one.
        """
        store = self.store.acting_as(user)
        if store is self.store:
            return self
        other = Application(store, self.vault, self.sealer, self.clock, self.timing, self._staff, self.rules)
        other._closing = self._closing
        return other

    def keyspace(self, log: str) -> Keyspace:
        """The key names of a log."""
        return self.store.logs[log].keys

    def claim_keys(self, partition: int) -> ClaimKeys:
        """The application's key names in one partition of the claim log."""
        return ClaimKeys(self.claim_keyspace, partition)

    def all_claim_keys(self) -> list[ClaimKeys]:
        """Those of every partition."""
        return [self.claim_keys(partition) for partition in range(self.claim_keyspace.spec.partitions)]

    def close_too(self, close: Callable[[], Awaitable[None]]) -> None:
        """Close this with the application, before the store."""
        self._closing.append(close)

    async def close(self) -> None:
        """Close what leads outside, the store's connections and the vault."""
        for close in self._closing:
            await close()
        await self.store.close()
        self.vault.close()
