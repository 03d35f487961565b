"""Masks on disk that a person painted or another tool made."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image, UnidentifiedImageError

from augment.layers import file_name
from augment.segment.polygons import Polygons
from augment.segment.still import StillMask, keep_still
from augment.types import Background
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
    _check_size(path, gray.shape[:2], (height, width))
    return (gray[..., 0] > 127) & (gray[..., 1] > 127)


def painted_files(folder: str | None, camera: str) -> list[Path]:
    """`<camera>.png`, `<camera>.<role>.png` and `<camera>.json` in the folder, where they exist."""
    if folder is None:
        return []
    ends = ("png", *(f"{role}.png" for role in Role), "json")
    return [path for end in ends if (path := Path(folder) / f"{file_name(camera)}.{end}").is_file()]


def painted_roles(folder: str | None, camera: str) -> frozenset[Role]:
    """The roles that somebody painted for a camera. Raises RequestError where polygons cannot be understood."""
    return frozenset(role for path in painted_files(folder, camera) for role in _roles(path))


def painted_tracks(folder: str | None, frames: FrameSource, background: Background) -> tuple[StillMask, ...]:
    """A track for each painted file of the camera, and for each role in it.

    Raises EpisodeError where one is not of the camera's size, RequestError where polygons cannot be understood.
    """
    return tuple(
        keep_still(mask, frames, background, role, "painted")
        for path in painted_files(folder, frames.camera)
        for role, mask in _masks(path, frames.height, frames.width).items()
    )


def _masks(path: Path, height: int, width: int) -> Mapping[Role, Bool[np.ndarray, "h w"]]:
    if not _holds_polygons(path):
        return {_role(path): read_mask(path, height, width)}
    polygons = Polygons.read(path)
    _check_size(path, (polygons.height, polygons.width), (height, width))
    return polygons.masks()


def _holds_polygons(path: Path) -> bool:
    return path.suffix == ".json"


def _roles(path: Path) -> frozenset[Role]:
    return Polygons.read(path).roles if _holds_polygons(path) else frozenset({_role(path)})


def _role(path: Path) -> Role:
    """The role in `<camera>.<role>.png`; `other` for `<camera>.png`."""
    middle = path.stem.rpartition(".")[2]
    return Role(middle) if middle in set(Role) else Role.OTHER


def _check_size(path: Path, found: tuple[int, ...], camera: tuple[int, int]) -> None:
    if found != camera:
        raise EpisodeError(
            f"{path} is {found[0]}x{found[1]} pixels; its camera is {camera[0]}x{camera[1]}. Paint it on a frame of "
            "that size"
        )
