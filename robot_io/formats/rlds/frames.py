"""One camera's frames: encoded pictures out of a record, and new ones for a part."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8

from robot_io import codecs
from robot_io.errors import EpisodeError
from robot_io.formats.rlds.features import Feature
from robot_io.formats.rlds.tfrecord import scan, write_record
from robot_io.memory import timestamps
from robot_io.types import Clip


@dataclass(frozen=True, eq=False)
class RldsFrames:
    """A FrameSource over encoded pictures; an empty one is padding and decodes to black."""

    camera: str
    episode: str
    """Name of the episode, for messages."""
    blobs: tuple[bytes, ...]
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.blobs)

    def read(self, start: int, stop: int) -> Clip:
        """Frames `start:stop`. Raises EpisodeError where one cannot be decoded."""
        stop = min(stop, len(self))
        frames = np.empty((max(stop - start, 0), self.height, self.width, 3), np.uint8)
        for offset, blob in enumerate(self.blobs[start:stop]):
            try:
                frames[offset] = codecs.decode(blob) if blob else 0
            except ValueError as error:
                where = f"{self.episode}: frame {start + offset} of camera {self.camera}"
                raise EpisodeError(f"{where}: {error}; record the episode again or leave it out") from error
        return Clip(self.camera, start, frames, timestamps(start, stop, None))


class RldsFrameWriter:
    """A FrameWriter: one encoded picture per record of a TFRecord file, each like the recorded frame in its place."""

    def __init__(self, source: RldsFrames, path: Path) -> None:
        self._source = source
        self._path = path
        self._written = 0
        self._file: BinaryIO | None = None

    def __enter__(self) -> "RldsFrameWriter":
        self._file = self._path.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        with self._file as file:
            file.flush()
            os.fsync(file.fileno())
        self._file = None
        if kind is None and self._written != len(self._source):
            raise ValueError(
                f"{self._source.episode}: {self._written} frames written for camera {self._source.camera}, but the "
                f"recording has {len(self._source)}; write one per step"
            )

    def write(self, clip: Clip) -> Clip:
        """Append the clip; returns it as decoded again. Raises ValueError where it does not continue the camera."""
        if self._file is None:
            raise ValueError("a frame writer writes only inside its `with` block")
        source, size = self._source, clip.frames.shape[1:3]
        if clip.start != self._written or clip.stop > len(source):
            raise ValueError(
                f"{source.episode}: frames {clip.start}:{clip.stop} of camera {source.camera} came after "
                f"{self._written} of {len(source)}; write every frame once, in order"
            )
        if size != (source.height, source.width):
            raise ValueError(
                f"{source.episode}: frames of camera {source.camera} are {size[1]}x{size[0]}, but the recording's are "
                f"{source.width}x{source.height}; scale them back first"
            )
        recorded = source.blobs[clip.start : clip.stop]
        blobs = tuple(self._encode(frame, like) for frame, like in zip(clip.frames, recorded, strict=True))
        for blob in blobs:
            write_record(self._file, blob)
        self._written = clip.stop
        stored = RldsFrames(source.camera, source.episode, blobs, source.height, source.width)
        return Clip(clip.camera, clip.start, stored.read(0, len(blobs)).frames, clip.timestamps)

    def _encode(self, frame: UInt8[np.ndarray, "h w 3"], like: bytes) -> bytes:
        return codecs.encode_like(frame, like) if like else b""


def read_part(path: Path, length: int) -> list[bytes]:
    """The pictures that a frame writer left. Raises EpisodeError where they are not `length` whole ones."""
    records = list(scan(path))
    problems = [record.problem for record in records if record.problem]
    if problems or len(records) != length:
        raise EpisodeError(
            f"{path} holds {len(records)} frames of an episode of {length} steps "
            f"({problems[0] if problems else 'all of them readable'}); remove it and make the variant again"
        )
    return [record.payload for record in records]


def frame_size(feature: Feature, blobs: Sequence[bytes | memoryview]) -> tuple[int, int]:
    """(height, width) of a camera, checked against each frame's header.

    Raises ValueError where a frame is neither JPEG nor PNG, sizes differ or no size is known.
    """
    height, width = feature.shape[:2]
    for number, blob in enumerate(blobs):
        if not blob:
            continue
        try:
            found = codecs.image_size(blob)
        except ValueError as error:
            raise ValueError(f"frame {number} of {feature.key}: {error}") from error
        height, width = height or found[0], width or found[1]
        if found != (height, width):
            raise ValueError(f"frame {number} of {feature.key} is {found[1]}x{found[0]} instead of {width}x{height}")
    if not height or not width:
        raise ValueError(f"{feature.key} holds only padding, and features.json declares no size for it")
    return height, width
