"""RLDS: a TFDS directory of TFRecord shards, one record per episode. TensorFlow is not needed."""

import os
from collections.abc import Iterator
from pathlib import Path

from robot_io.errors import DatasetError
from robot_io.formats.rlds.index import index
from robot_io.formats.rlds.info import FEATURES, INFO
from robot_io.formats.rlds.reader import RldsDataset

__all__ = ["RldsDataset", "open", "recognises"]

DEPTH = 3
"""How far down a version folder may be: `<name>/<config>/<version>`."""


def recognises(path: Path) -> bool:
    """A version folder, or a folder with at least one `<name>[/<config>]/<version>` below it."""
    return next(_version_folders(path), None) is not None


def open(path: Path) -> RldsDataset:
    """Read the table of contents of the version folder at or below `path`.

    Raises DatasetError where there is none or more than one, or where it is unsound as a whole.
    """
    found = {folder.resolve(): folder for folder in sorted(_version_folders(path))}
    if len(found) != 1:
        names = ", ".join(str(folder.relative_to(path)) for folder in found.values())
        raise DatasetError(
            f"{path} holds {len(found)} TFDS version folders ({names or 'no features.json in reach'}); "
            "give the path of the one to read"
        )
    return RldsDataset(index(*found))


def _version_folders(path: Path) -> Iterator[Path]:
    """`path` itself, or what lies below it; hidden folders are passed over."""
    for name, folders, files in os.walk(path, followlinks=True):
        folder = Path(name)
        if any(file in (FEATURES, INFO) or ".tfrecord-" in file for file in files):
            folders.clear()
            yield folder
        elif len(folder.relative_to(path).parts) == DEPTH:
            folders.clear()
        folders[:] = [child for child in folders if not child.startswith(".")]
