"""Putting finished files and folders in place, so that nothing half-made is ever visible under its name."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def flush(path: Path) -> None:
    """Wait until a closed file, or a folder's list of names, is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A place beside `out` to make a file or folder, which takes the place of `out` when the block ends well.

    What an interrupted run left there is removed first; after an error, nothing is left.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.unfinished")
    remove(unfinished)
    try:
        yield unfinished
        for path in (*unfinished.rglob("*"), unfinished):
            flush(path)
        if out.is_dir():  # a folder cannot be renamed over another
            old = out.with_name(f".{out.name}.replaced")
            remove(old)
            out.rename(old)
            unfinished.rename(out)
            remove(old)
        else:
            unfinished.replace(out)
        flush(out.parent)
    finally:
        remove(unfinished)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
