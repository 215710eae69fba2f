"""One running cluster for all rows that only use it; a row that kills or deletes something takes one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.lab import Lab, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Give the cluster of the rows: `python -m workers run` with the sample data, ended at the end of the run."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running
