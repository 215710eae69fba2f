"""Every key name of the claims application, and who owns it. Nobody writes a key by hand.

| keys | owner (only writer) |
|---|---|
| `claim:{id}`, `claim:{id}:head`, `claim:{id}:history`, `claims:timers` | append (runtime.store.keys) |
| `analytics:*`, `leaderboard:*`, `metrics:*`, `kpi:*`, `claims:analytics` | analytics |
| `adjuster:*`, `adjusters:*`, `queue:*`, `losses:*`, `insured:*`, `handlers:*`, `seen:*` | claims processor |
| `payments:*`, but for `payments:waiting-payees` (claims processor) | payments |
| `claims:notifications` | notifier |
| `outbox:*` | dispatcher |
| `audit:*` | auditor |
| `view:floor:*`, and the views that it drops (it never fills one) | cache invalidator |
"""

from __future__ import annotations

from runtime.store.keys import Keyspace, LogSpec

CLAIM_LOG = "claims:events"
REQUEST_LOG = "claims:requests"
NOTIFICATION_LOG = "claims:notifications"
POLICY_LOG = "policies:events"
CUSTOMER_LOG = "customers:events"

INVALIDATION_CHANNEL = "cache:invalidation"


def claim_log(partitions: int, *, tagged: bool = False) -> LogSpec:
    """The log of claims: the truth."""
    return LogSpec(CLAIM_LOG, "claim", "claimId", partitions, tagged)


def request_log(partitions: int, *, tagged: bool = False) -> LogSpec:
    """What foreign producers ask for: raw entries without a sequence."""
    return LogSpec(REQUEST_LOG, "request", "claimId", partitions, tagged)


def notification_log(partitions: int, *, tagged: bool = False) -> LogSpec:
    """The outbox: who must be told what. Its entries carry no sequence of their own."""
    return LogSpec(NOTIFICATION_LOG, "notification", "claimId", partitions, tagged, sequenced=False)


def policy_log(*, tagged: bool = False) -> LogSpec:
    """The log of policies, keyed by policy number."""
    return LogSpec(POLICY_LOG, "policies:policy", "policyNumber", 1, tagged)


def customer_log(*, tagged: bool = False) -> LogSpec:
    """The log of customers."""
    return LogSpec(CUSTOMER_LOG, "customers:customer", "customerId", 1, tagged)


class ClaimKeys:
    """Names of the application's keys in one partition of the claim log."""

    def __init__(self, keyspace: Keyspace, partition: int) -> None:
        """Names carry the partition's tag when the log's do."""
        self._keyspace = keyspace
        self._partition = partition

    def name(self, base: str) -> str:
        """Any of the names below, with the partition's tag."""
        return self._keyspace.name(base, self._partition)

    @property
    def timers(self) -> str:
        """Sorted set: `{claim}|{timer}` by due time in milliseconds since 1970."""
        return self.name("claims:timers")

    @property
    def notifications(self) -> str:
        """Stream: the outbox."""
        return self.name(NOTIFICATION_LOG)

    def figures(self, view: tuple[str, ...]) -> str:
        """A view of `domain.statistics`: hash or sorted set (source-systems.md B5)."""
        return self.name(":".join(view))

    @property
    def windows(self) -> str:
        """Stream: window summaries of analytics."""
        return self.name("claims:analytics")

    @property
    def window_state(self) -> str:
        """Hash: the days that were touched since the last summaries, `day` the newest of them all."""
        return self.name("analytics:windows")

    @property
    def realtime(self) -> str:
        """Hash with a TTL: events by type in the last hour of event time."""
        return self.name("analytics:realtime")

    @property
    def minutes(self) -> str:
        """Hash: events by minute and type (`{day}T{hh:mm}|{type}`) in the last hour of event time."""
        return self.name("analytics:minutes")

    @property
    def adjuster_load(self) -> str:
        """Hash: weighted open load by adjuster."""
        return self.name("adjusters:load")

    @property
    def adjuster_last(self) -> str:
        """Hash: when an adjuster was last assigned, milliseconds since 1970."""
        return self.name("adjusters:last-assigned")

    def workload(self, adjuster: str) -> str:
        """List: open claims of an adjuster."""
        return self.name(f"adjuster:{adjuster}:workload")

    def queue(self, queue: str) -> str:
        """List: a work list (`assigned:claims`, `payment:pending`, `claims:closed`, `overflow`)."""
        return self.name(f"queue:{queue}")

    def losses(self, policy: str) -> str:
        """Hash: the losses that were reported under a policy, by claim (`workers.loss_index.Loss` as JSON)."""
        return self.name(f"losses:{policy}")

    def insured(self, customer: str) -> str:
        """Set: the claims of whoever is insured."""
        return self.name(f"insured:{customer}")

    def handlers(self, tie: str) -> str:
        """Hash: who handles the open claims of a household or an event, by claim."""
        return self.name(f"handlers:{tie}")

    def seen(self, thing: str) -> str:
        """Hash: on which claims a document (`document:{hash}`) or contact (`phone:{index}` ...) was seen, by claim."""
        return self.name(f"seen:{thing}")

    @property
    def waiting_payees(self) -> str:
        """Sorted set: claims that wait for their payee before they are paid, by the next look in milliseconds."""
        return self.name("payments:waiting-payees")

    @property
    def chain(self) -> str:
        """Hash: head of the audit chain, entries chained, last id."""
        return self.name("audit:chain")

    @property
    def checkpoints(self) -> str:
        """Stream: checkpoints of the audit chain."""
        return self.name("audit:checkpoints")

    @property
    def forged(self) -> str:
        """Stream: entries of the log that look like facts and that append did not write, each once."""
        return self.name("audit:forged")

    def floor(self, subject: str) -> str:
        """Integer with a TTL: the version below which the views of a subject must not be filled any more."""
        return self.name(f"view:floor:{subject}")

    @property
    def outbox_attempts(self) -> str:
        """Hash: intents whose sending was begun and whose outcome is not known yet, by intent id."""
        return self.name("outbox:attempts")

    @property
    def outbox_outcomes(self) -> str:
        """Hash: how each intent ended, by intent id."""
        return self.name("outbox:outcomes")

    @property
    def outbox_retries(self) -> str:
        """Sorted set: intents to be sent again, by due time in milliseconds."""
        return self.name("outbox:retries")

    @property
    def outbox_waiting(self) -> str:
        """Hash: the intents that wait to be sent again, as they are."""
        return self.name("outbox:waiting")

    @property
    def payment_attempts(self) -> str:
        """Hash: payout orders that were begun and whose answer is not known yet, by idempotency key."""
        return self.name("payments:attempts")

    @property
    def payment_outcomes(self) -> str:
        """Hash: how each payout order ended, by idempotency key."""
        return self.name("payments:outcomes")

    @property
    def payment_retries(self) -> str:
        """Sorted set: payout orders to be sent again, by due time in milliseconds."""
        return self.name("payments:retries")

    @property
    def payment_waiting(self) -> str:
        """Hash: the payout orders that wait to be sent again, as they are."""
        return self.name("payments:waiting")

    @property
    def payment_doubts(self) -> str:
        """Hash: payments of which the bank said something that does not fit, and in which message: never sent again."""
        return self.name("payments:doubts")

    @property
    def bank_place(self) -> str:
        """String: up to where the bank's messages were taken."""
        return self.name("payments:bank-place")

    @property
    def reconciliation(self) -> str:
        """Stream: what of the bank's messages and of our orders does not fit together; a person looks at it."""
        return self.name("payments:reconciliation")
