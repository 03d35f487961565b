"""Alpha in a layers folder: what is known of single pixels beyond the masks.

A picture says nothing where it is black, so that the masks decide; elsewhere, it is the share of the foreground: 1, of
255, is all background, 255 is kept as recorded. Frames of which nothing is said have no picture.
"""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from augment.pngs import Archive, add, decode, encode
from augment.types import AlphaTrack, Role
from robot_io.errors import EpisodeError

WINDOW = 32


@dataclass(frozen=True)
class StoredAlpha:
    """An AlphaTrack in a layers folder."""

    path: Path
    role: Role
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> UInt8[np.ndarray, "t h w"]:
        """Raises EpisodeError where a picture has another size than the camera."""
        stop = min(stop, len(self))
        alpha = np.zeros((stop - start, *self.shape[1:]), dtype=np.uint8)
        for frame in range(start, stop):
            if frame in self._archive:
                said = decode(self._archive.read(frame), self.shape[1:], f"alpha in {self.path}")
                alpha[frame - start] = said * np.uint8(255) if said.dtype == np.bool_ else said
        return alpha

    @cached_property
    def _archive(self) -> Archive:
        return Archive(self.path)


def find_stored(folder: Path, shape: tuple[int, int, int]) -> tuple[StoredAlpha, ...]:
    """Every zip in a folder; its name ends in its role. Raises EpisodeError for another name.

    `shape`: the recording's length, height and width.
    """
    return tuple(StoredAlpha(path, _role(path), shape) for path in sorted(folder.glob("*.zip")))


def write_alpha(path: Path, alpha: AlphaTrack) -> None:
    """One PNG for every frame of which anything is said; no file if there is none."""
    said = False
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for start in range(0, len(alpha), WINDOW):
            for frame, picture in enumerate(alpha.read(start, start + WINDOW), start):
                if picture.any():
                    said = True
                    add(archive, frame, encode(picture))
    if not said:
        path.unlink()


def _role(path: Path) -> Role:
    name = path.stem.rpartition("-")[2]
    if name not in set(Role):
        raise EpisodeError(f"{path} is alpha of no role; its name ends in one of {', '.join(Role)}, as in robot.zip")
    return Role(name)
