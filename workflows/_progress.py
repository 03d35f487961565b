"""What a person sees while a run works: bars on a terminal, a line every 30 seconds in a log."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from augment.pipeline import Receipt, Schedule, Status

LOG_SECONDS = 30.0


@contextmanager
def watching(schedule: Schedule) -> Iterator[Callable[[Receipt], None]]:
    """Gives the function to call with every receipt."""
    console = Console(stderr=True)
    if console.is_terminal:
        with _bars(schedule, console) as observe:
            yield observe
    else:
        lines = _Lines(schedule)
        ended = threading.Event()
        clock = threading.Thread(target=lines.say_regularly, args=(ended,), daemon=True)
        clock.start()
        try:
            yield lines
        finally:
            ended.set()
            clock.join()
        lines.say()


@contextmanager
def _bars(schedule: Schedule, console: Console) -> Iterator[Callable[[Receipt], None]]:
    columns = (TextColumn("{task.description:9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        episodes = progress.add_task("masks", total=len(schedule.episodes))
        variants = progress.add_task("variants", total=len(schedule.episodes) * schedule.variants)

        def observe(receipt: Receipt) -> None:
            progress.advance(episodes if receipt.job.variant is None else variants)
            if receipt.failure:
                progress.console.print(f"failed: {_where(receipt)}: {receipt.failure}", markup=False)

        yield observe


class _Lines:
    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._ended = 0
        self._failed = 0

    def __call__(self, receipt: Receipt) -> None:
        self._ended += receipt.job.variant is not None
        if receipt.failure:
            self._failed += 1
            sys.stderr.write(f"failed: {_where(receipt)}: {receipt.failure}\n")

    def say_regularly(self, ended: threading.Event) -> None:
        while not ended.wait(LOG_SECONDS):
            self.say()

    def say(self) -> None:
        total = len(self._schedule.episodes) * self._schedule.variants
        done, rejected = (self._schedule.count(status) for status in (Status.DONE, Status.REJECTED))
        sys.stderr.write(f"{self._ended}/{total} variants: {done} done, {rejected} rejected, {self._failed} failures\n")


def _where(receipt: Receipt) -> str:
    variant = "" if receipt.job.variant is None else f", variant {receipt.job.variant}"
    return f"episode {receipt.job.episode}{variant}"
