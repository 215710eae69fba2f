"""Takes raw requests from `claims:requests` and makes facts of them, or parks them with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from runtime.actor import Actor
from workers.keys import REQUEST_LOG

if TYPE_CHECKING:
    from runtime.effects import Effects
    from runtime.entry import Batch
    from workers.adoption import Adoption


class Intake(Actor):
    """Reads `claims:requests` as `intake`: group names are unique over all logs, for health and metrics."""

    name: ClassVar[str] = "intake"
    group: ClassVar[str] = "intake"
    log: ClassVar[str] = REQUEST_LOG
    adopts: ClassVar[bool] = True

    def __init__(self, adoption: Adoption) -> None:
        """`adoption` decides on requests."""
        self._adoption = adoption

    async def handle(self, batch: Batch) -> Effects:
        """Facts or dead letters, one for each request."""
        return await self._adoption.adopt(batch.entries)
