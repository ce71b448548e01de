"""What a way of consuming answers; the life of a consumer asks it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from clearline.chassis.consumption import Partition
from clearline.chassis.group_member import Polled
from clearline.chassis.progress import Standing


class Way(ABC):
    """What happens to polled records."""

    @abstractmethod
    def _begin(self, starts: Mapping[Partition, int]) -> None:
        """Partitions are ours from these offsets on."""

    @abstractmethod
    async def _take(self, polled: Polled) -> None:
        """Handle, or begin to handle, what was polled."""

    @abstractmethod
    async def _finish(self, limit: float) -> None:
        """Take nothing new, wait at most `limit` seconds for what runs, cancel the rest."""

    @abstractmethod
    def _standings(self) -> Mapping[Partition, Standing]:
        """Where each owned partition stands."""

    @property
    @abstractmethod
    def _in_flight(self) -> int:
        """Handlers running now."""
