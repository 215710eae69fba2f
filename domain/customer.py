"""A customer: an opaque subject id, what may be known in clear, and the sealed rest.

Names, contacts, birth date and the like arrive here only as ciphertext (`sealed`); the key belongs to the
subject and is destroyed on erasure, after which `sealed` is unreadable whatever the log still holds.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

import msgspec
from msgspec.structs import replace


class PayeeDetails(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is known of a customer as somebody who gets money. Who is registered is verified until somebody says
    otherwise; `changed_at`: when the bank details last changed, `called_back`: a call to the known number confirmed it.
    """

    method: str = "transfer"
    account: str = ""
    verified: bool = True
    sanctions_clear: bool = True
    changed_at: datetime | None = None
    called_back: bool = False
    verified_at: datetime | None = None


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
    payee: PayeeDetails = PayeeDetails()
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


class PayeeChanged(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`customer.payee.changed`: other bank details; `account` is sealed. No payment to them before the cool-off is over
    or a call-back confirmed them (guard G16).
    """

    at: datetime
    method: str = "transfer"
    account: str = ""


class PayeeChecked(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`customer.payee.checked`: what somebody found out about the payee; what is not given stays."""

    at: datetime
    verified: bool | None = None
    sanctions_clear: bool | None = None
    called_back: bool | None = None


class CustomerErased(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`customer.erased`: the subject's key is gone; the id and the links stay for the accounts."""

    reason: str = ""


CustomerEvent = (
    CustomerRegistered | CustomerChanged | CustomerPolicyLinked | PayeeChanged | PayeeChecked | CustomerErased
)

CUSTOMER_EVENTS: Final[dict[str, type[CustomerEvent]]] = {
    "customer.registered": CustomerRegistered,
    "customer.changed": CustomerChanged,
    "customer.policy.linked": CustomerPolicyLinked,
    "customer.payee.changed": PayeeChanged,
    "customer.payee.checked": PayeeChecked,
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
        case PayeeChanged():
            return replace(customer, payee=_payee_changed(customer.payee, event))
        case PayeeChecked():
            return replace(customer, payee=_payee_checked(customer.payee, event))
        case CustomerErased():
            return replace(customer, sealed="", erased=True, payee=replace(customer.payee, account=""))
        case _:
            raise CustomerHistoryError(f"{type(event).__name__} is no event of a customer")


def _payee_changed(payee: PayeeDetails, event: PayeeChanged) -> PayeeDetails:
    """The call-back was about the details before."""
    return replace(payee, method=event.method, account=event.account, changed_at=event.at, called_back=False)


def _payee_checked(payee: PayeeDetails, event: PayeeChecked) -> PayeeDetails:
    found = {"verified": event.verified, "sanctions_clear": event.sanctions_clear, "called_back": event.called_back}
    given = {name: value for name, value in found.items() if value is not None}
    return replace(payee, **given, verified_at=event.at if event.verified else payee.verified_at)
