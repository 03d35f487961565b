"""Pictures and masks inside an HDF5 file: read in windows, written like their source."""

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np
from jaxtyping import Bool, Shaped

from robot_io.errors import EpisodeError
from robot_io.formats.hdf5.disk import writing
from robot_io.interruption import heed
from robot_io.memory import timestamps
from robot_io.types import Clip, Role

FRAMES = "frames"


@dataclass(frozen=True)
class H5Frames:
    """A FrameSource over an image dataset (T, h, w, 3)."""

    camera: str
    path: Path
    dataset: str
    shape: tuple[int, ...]
    fps: float | None
    is_turned: bool

    @property
    def height(self) -> int:
        return self.shape[1]

    @property
    def width(self) -> int:
        return self.shape[2]

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> Clip:
        frames = _window(self.path, self.dataset, start, stop)
        frames = turned(frames) if self.is_turned else frames
        return Clip(self.camera, start, frames, timestamps(start, start + len(frames), self.fps))


@dataclass(frozen=True)
class H5Masks:
    """A MaskTrack over a bool or uint8 dataset (T, h, w); anything but 0 is the thing."""

    role: Role
    path: Path
    dataset: str
    shape: tuple[int, ...]
    is_turned: bool
    label: str = "recorded"
    confidence: float | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        masks = _window(self.path, self.dataset, start, stop) != 0
        return turned(masks) if self.is_turned else masks


def open_written(camera: str, path: Path, is_turned: bool) -> H5Frames:
    """What a H5FrameWriter wrote. Raises EpisodeError where that cannot be read."""
    try:
        with h5py.File(path, "r") as file:
            shape = file[FRAMES].shape
    except (OSError, KeyError) as error:
        raise EpisodeError(f"{path} cannot be read ({error}); remove it and make the variant again") from error
    return H5Frames(camera, path, FRAMES, shape, None, is_turned)


def turned(pictures: Shaped[np.ndarray, "t h w *c"]) -> Shaped[np.ndarray, "t h w *c"]:
    """Turn by 180 degrees, which undoes itself."""
    return np.ascontiguousarray(pictures[:, ::-1, ::-1])


def _window(path: Path, dataset: str, start: int, stop: int) -> np.ndarray:
    try:
        with h5py.File(path, "r") as file:
            window: np.ndarray = file[dataset][start:stop]
    except OSError as error:
        raise EpisodeError(f"{dataset} cannot be read: {error}") from error
    return window


@dataclass
class H5FrameWriter:
    """Writes a camera's new frames with the type, shape and filters of its source. See base.FrameWriter.

    Contiguous stays contiguous; chunked gets one frame a chunk, which is how loaders read.
    """

    camera: str
    source: Path
    dataset: str
    path: Path
    is_turned: bool
    _next: int = field(default=0, init=False)

    def __enter__(self) -> "H5FrameWriter":
        with h5py.File(self.source, "r") as source:
            self._file = writing(self.path)
            self._frames = _create_like(source[self.dataset], self._file.__enter__())
        self._shape: tuple[int, ...] = self._frames.shape
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, trace)
        if error is None and self._next != self._shape[0]:
            raise ValueError(f"{self.camera}: {self._next} frames written, {self._shape[0]} recorded")

    def write(self, clip: Clip) -> Clip:
        if clip.frames.shape[1:] != self._shape[1:] or clip.start != self._next or clip.stop > self._shape[0]:
            raise ValueError(
                f"{self.camera}: got {clip!r}; frames are {self._shape} as recorded and the next one is {self._next}"
            )
        self._frames[clip.start : clip.stop] = turned(clip.frames) if self.is_turned else clip.frames
        self._next = clip.stop
        heed()
        return clip


def _create_like(like: h5py.Dataset, file: h5py.File) -> h5py.Dataset:
    """An empty dataset FRAMES with the type, shape, filters and attributes of `like`."""
    plist = like.id.get_create_plist()
    plist.set_obj_track_times(False)  # files that hold times cannot be compared
    if like.chunks is not None:
        plist.set_chunk((1, *like.shape[1:]))
    frames = h5py.Dataset(h5py.h5d.create(file.id, FRAMES.encode(), like.id.get_type(), like.id.get_space(), plist))
    for name in like.attrs:
        frames.attrs[name] = like.attrs[name]
    return frames
