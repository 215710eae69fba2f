"""Finds the one bad entry of a batch: halves, in order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def halves(batch: Sequence[T]) -> list[Sequence[T]]:
    """Cut a batch in two, first half first; a single entry stays as it is.

    >>> halves([1, 2, 3])
    [[1], [2, 3]]
    >>> halves([1])
    [[1]]
    """
    if len(batch) < 2:
        return [batch]
    middle = len(batch) // 2
    return [batch[:middle], batch[middle:]]


def singles(batch: Sequence[T]) -> list[Sequence[T]]:
    """Cut a batch into batches of one.

    >>> singles([1, 2])
    [[1], [2]]
    """
    return [batch[n : n + 1] for n in range(len(batch))]
