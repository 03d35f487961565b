"""Where the time of a job goes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Seconds by stage."""

    def __init__(self, now: Callable[[], float] = perf_counter) -> None:
        """`now`: the clock, in seconds."""
        self._now = now
        self.seconds: dict[str, float] = {}

    def add(self, other: "Stopwatch") -> None:
        """The seconds of another one, such as a thread's."""
        for stage, seconds in other.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = self._now()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + self._now() - start
