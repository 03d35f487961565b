"""Jobs one after the other, in this process."""

from collections.abc import Callable
from dataclasses import dataclass

from augment.pipeline.schedule import Receipt, Schedule
from augment.pipeline.worker import Worker
from robot_io.interruption import heed


@dataclass(frozen=True)
class Serial:
    """`executor=serial`: needs nothing, and is the easiest to debug."""

    def check(self) -> None:
        """This process is always there."""

    def run(self, worker: Worker, schedule: Schedule, observe: Callable[[Receipt], None]) -> None:
        """Work the schedule off. Raises RunError."""
        while (job := schedule.next()) is not None:
            heed()
            receipt = worker(job)
            observe(receipt)
            schedule.ended(receipt)
