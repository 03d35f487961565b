"""Ctrl-C and SIGTERM, neither lost nor let in where they do harm.

Python raises KeyboardInterrupt wherever it happens to be. Within a callback of a C library or of a weak reference it is
printed and forgotten. So the handler also remembers, and whoever stands at a safe place heeds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_pending = False
_holds = 0


def interrupt(number: int, frame: FrameType | None) -> None:
    """A signal handler: raises KeyboardInterrupt now, unless held back, and at the latest when it is heeded."""
    global _pending
    _pending = True
    if not _holds:
        raise KeyboardInterrupt


def heed() -> None:
    """Raise KeyboardInterrupt if a signal came that has not had its effect."""
    if _pending:
        forget()
        raise KeyboardInterrupt


def forget() -> None:
    """Call it once an interruption has had its effect."""
    global _pending
    _pending = False


@contextmanager
def holding_back() -> Iterator[None]:
    """Let no signal raise within the block; one that came is heeded after it."""
    global _holds
    _holds += 1
    try:
        yield
    finally:
        _holds -= 1
    heed()
