"""Robomimic-style HDF5: one file of many demonstrations, or a folder of such files (LIBERO, MimicGen, Isaac Lab)."""

from pathlib import Path

from robot_io.formats.hdf5.layout import SUFFIXES
from robot_io.formats.hdf5.robomimic import open_robomimic as open

__all__ = ["open", "recognises"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def recognises(path: Path) -> bool:
    """A file that is, or by its name claims to be, HDF5; a folder with such files in it."""
    if path.is_dir():
        return any(child.suffix in SUFFIXES for child in path.iterdir())
    with path.open("rb") as file:
        return path.suffix in SUFFIXES or file.read(len(SIGNATURE)) == SIGNATURE
