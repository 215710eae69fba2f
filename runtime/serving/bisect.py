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


def cut(batch: Sequence[T], first: int) -> list[Sequence[T]]:
    """Cut off the first so many, if there are more.

    >>> cut([1, 2, 3], 2)
    [[1, 2], [3]]
    >>> cut([1, 2], 2)
    [[1, 2]]
    """
    return [batch[:first], batch[first:]] if len(batch) > first else [batch]
