"""A customer: an opaque subject id, what may be known in clear, and the sealed rest.

Names, contacts, birth date and the like arrive here only as ciphertext (`sealed`); the key belongs to the
subject and is destroyed on erasure, after which `sealed` is unreadable whatever the log still holds.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec
from msgspec.structs import replace


class CustomerHistoryError(ValueError):
    """The event cannot follow the customer's history."""


class Customer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`vip`: VIP and employee claims go only to a restricted group of adjusters."""

    customer_id: str
    registered: date
    jurisdiction: str = ""
    language: str = "en"
    vip: bool = False
    policies: tuple[str, ...] = ()
    sealed: str = ""
    erased: bool = False
    revision: int = 1


class CustomerRegistered(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`customer.registered`."""

    customer_id: str
    registered: date
    jurisdiction: str = ""
    language: str = "en"
    vip: bool = False
    sealed: str = ""


class CustomerChanged(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`customer.changed`: only what is given changes."""

    jurisdiction: str | None = None
    language: str | None = None
    vip: bool | None = None
    sealed: str | None = None


class CustomerPolicyLinked(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`customer.policy.linked`: the policy names this customer; linking twice changes nothing."""

    number: str


class CustomerErased(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`customer.erased`: the subject's key is gone; the id and the links stay for the accounts."""

    reason: str = ""


CustomerEvent = CustomerRegistered | CustomerChanged | CustomerPolicyLinked | CustomerErased

CUSTOMER_EVENTS: Final[dict[str, type[CustomerEvent]]] = {
    "customer.registered": CustomerRegistered,
    "customer.changed": CustomerChanged,
    "customer.policy.linked": CustomerPolicyLinked,
    "customer.erased": CustomerErased,
}
"""Event type on the wire -> body."""


def evolve_customer(customer: Customer | None, event: CustomerEvent) -> Customer:
    """The customer after the event."""
    if isinstance(event, CustomerRegistered):
        if customer is not None:
            raise CustomerHistoryError(f"customer {customer.customer_id} was registered before")
        return _registered(event)
    if customer is None:
        raise CustomerHistoryError(f"{type(event).__name__} before the customer was registered")
    return replace(_changed(customer, event), revision=customer.revision + 1)


def _registered(event: CustomerRegistered) -> Customer:
    return Customer(
        customer_id=event.customer_id,
        registered=event.registered,
        jurisdiction=event.jurisdiction,
        language=event.language,
        vip=event.vip,
        sealed=event.sealed,
    )


def _changed(customer: Customer, event: CustomerEvent) -> Customer:
    match event:
        case CustomerChanged():
            fields = msgspec.structs.asdict(event)
            given = {name: value for name, value in fields.items() if value is not None}
            return replace(customer, **given)
        case CustomerPolicyLinked():
            if event.number in customer.policies:
                return customer
            return replace(customer, policies=(*customer.policies, event.number))
        case CustomerErased():
            return replace(customer, sealed="", erased=True)
        case _:
            raise CustomerHistoryError(f"{type(event).__name__} is no event of a customer")
