"""Masks on disk that a person painted or another tool made."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image, UnidentifiedImageError

from augment.layers import file_name
from robot_io.errors import EpisodeError
from robot_io.types import FrameSource, Role


def read_mask(path: Path, height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """A picture as a mask: True where it is brighter than mid-grey and not transparent.

    Raises EpisodeError when it cannot be read or is not of the camera's size.
    """
    try:
        with Image.open(path) as image:
            gray = np.asarray(image.convert("LA"))
    except (UnidentifiedImageError, OSError) as error:
        raise EpisodeError(f"{path} cannot be read as a picture: {error}") from error
    if gray.shape[:2] != (height, width):
        raise EpisodeError(
            f"{path} is {gray.shape[0]}x{gray.shape[1]} pixels; its camera is {height}x{width}. Paint it on a frame of "
            "that size"
        )
    return (gray[..., 0] > 127) & (gray[..., 1] > 127)


@dataclass(frozen=True)
class PaintedMask:
    """A MaskTrack that never changes, from one picture."""

    path: Path
    role: Role
    length: int
    height: int
    width: int
    label: str = "painted"

    def __len__(self) -> int:
        return self.length

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        count = max(0, min(stop, self.length) - start)
        return np.broadcast_to(self._mask, (count, self.height, self.width)).copy()

    @cached_property
    def _mask(self) -> np.ndarray:
        return read_mask(self.path, self.height, self.width)


def painted_files(folder: str | None, camera: str) -> list[Path]:
    """`<camera>.png` and `<camera>.<role>.png` in the folder, where they exist."""
    if folder is None:
        return []
    names = [f"{file_name(camera)}.png", *(f"{file_name(camera)}.{role}.png" for role in Role)]
    return [path for name in names if (path := Path(folder) / name).is_file()]


def painted_role(path: Path) -> Role:
    """The role in `<camera>.<role>.png`; `other` for `<camera>.png`."""
    middle = path.stem.rpartition(".")[2]
    return Role(middle) if middle in set(Role) else Role.OTHER


def painted_tracks(folder: str | None, frames: FrameSource) -> tuple[PaintedMask, ...]:
    """A track for each painted file of the camera."""
    return tuple(
        PaintedMask(path, painted_role(path), len(frames), frames.height, frames.width)
        for path in painted_files(folder, frames.camera)
    )
