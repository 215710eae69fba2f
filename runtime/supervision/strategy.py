"""Who is restarted when one child fails. Pure; the words are those of OTP."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Strategy(StrEnum):
    """What a failure of one child means for its siblings, and with it how they start and stop.

    ONE_FOR_ONE: nothing. Siblings are independent: they start together and stop together.
    REST_FOR_ONE: those after it need it. They start one after the other, and only those after it are
    restarted.
    ONE_FOR_ALL: all need each other. They start one after the other, and all are restarted.
    """

    ONE_FOR_ONE = "one_for_one"
    REST_FOR_ONE = "rest_for_one"
    ONE_FOR_ALL = "one_for_all"

    @property
    def ordered(self) -> bool:
        """Whether children start each after the one before is up, and stop each after the one behind is
        down.
        """
        return self is not Strategy.ONE_FOR_ONE


def affected(strategy: Strategy, order: Sequence[str], failed: str) -> tuple[str, ...]:
    """The children to start again, in starting order, when `failed` (one of `order`) has failed."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return (failed,)
        case Strategy.REST_FOR_ONE:
            return tuple(order[order.index(failed) :])
        case Strategy.ONE_FOR_ALL:
            return tuple(order)
