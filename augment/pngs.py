"""PNGs in a zip, one a frame, as layers are stored: a person can unpack, paint and pack them again."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from robot_io.errors import EpisodeError

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time, so that the same pictures give the same bytes


class Archive:
    """Pictures of frames; open, as finding the table of contents takes longer than reading one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip = zipfile.ZipFile(path)
        self._names = {Path(name).name: name for name in self._zip.namelist()}  # wherever in it a file lies

    def __contains__(self, frame: int) -> bool:
        return _name(frame) in self._names

    def read(self, frame: int) -> bytes:
        """The PNG of a frame that it holds."""
        return self._zip.read(self._names[_name(frame)])


def add(archive: zipfile.ZipFile, frame: int, png: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(_name(frame), ZIP_EPOCH), png)


def encode(picture: Shaped[np.ndarray, "h w *c"]) -> bytes:
    """A PNG of a mask, of grey levels or of colours."""
    buffer = io.BytesIO()
    # runs alone: a fifth of the time of a search for whatever repeats, and a tenth more bytes
    Image.fromarray(picture).save(buffer, "PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def decode(png: bytes, shape: tuple[int, ...], what: str) -> np.ndarray:
    """A picture of two colours as bool, any other as grey levels, uint8. Raises EpisodeError as `check_size` does."""
    with Image.open(io.BytesIO(png)) as image:
        picture = np.asarray(image if image.mode == "1" else image.convert("L"))
    check_size(picture, shape, what)
    return picture


def check_size(picture: np.ndarray, shape: tuple[int, ...], what: str) -> None:
    """Raises EpisodeError, about `what`, if a picture has not the height and width of its camera."""
    height, width = picture.shape[:2]
    if (height, width) != shape:
        raise EpisodeError(
            f"{what} is {height}x{width} pixels; its camera is {shape[0]}x{shape[1]}. Paint it at that size, or "
            "remove these layers to have them made anew"
        )


def _name(frame: int) -> str:
    return f"{frame:06d}.png"
