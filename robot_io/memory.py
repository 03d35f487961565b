"""Frames and masks that are already in memory, behind the same interface as those on disk."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from robot_io.types import Clip, Role


def timestamps(start: int, stop: int, fps: float | None) -> np.ndarray:
    """Seconds of frames `start:stop`, float64 `(t,)`; plain frame indices where `fps` is unknown."""
    return np.arange(start, stop, dtype=np.float64) / (fps or 1.0)


@dataclass(frozen=True, eq=False)
class ArrayFrames:
    """A FrameSource over an array."""

    camera: str
    frames: UInt8[np.ndarray, "t h w 3"]
    fps: float | None = None

    @property
    def height(self) -> int:
        return int(self.frames.shape[1])

    @property
    def width(self) -> int:
        return int(self.frames.shape[2])

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, start: int, stop: int) -> Clip:
        stop = min(stop, len(self))
        return Clip(self.camera, start, self.frames[start:stop], timestamps(start, stop, self.fps))


@dataclass(frozen=True, eq=False)
class ArrayMask:
    """A MaskTrack over an array."""

    role: Role
    label: str
    masks: Bool[np.ndarray, "t h w"]
    confidence: float | None = None

    def __len__(self) -> int:
        return len(self.masks)

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        return self.masks[start:stop]
