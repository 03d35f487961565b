"""Masks held in little memory: only the rectangle that they lie in, a bit a pixel."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, UInt8

from augment.images import bounds
from augment.types import MaskTrack, Role
from robot_io.types import FrameSource

WINDOW = 32  # frames that are read at once


@dataclass(frozen=True, eq=False)
class Cutout:
    """One mask."""

    corner: tuple[int, int]
    shape: tuple[int, int]
    bits: UInt8[np.ndarray, " n"]

    @classmethod
    def of(cls, mask: Bool[np.ndarray, "h w"]) -> "Cutout":
        rows, columns = bounds(mask, 0) if mask.any() else (slice(0, 0), slice(0, 0))
        part = mask[rows, columns]
        return cls((rows.start, columns.start), part.shape, np.packbits(part))

    def lay(self, mask: Bool[np.ndarray, "h w"]) -> None:
        """Add it to a mask."""
        (top, left), (height, width) = self.corner, self.shape
        part = np.unpackbits(self.bits, count=height * width).astype(np.bool_).reshape(self.shape)
        mask[top : top + height, left : left + width] |= part


@dataclass(frozen=True, eq=False)
class CutoutTrack:
    """A MaskTrack in memory; a frame may have no cutout."""

    role: Role
    label: str
    shape: tuple[int, int, int]
    """Frames, height, width."""
    cutouts: Mapping[int, Cutout] = field(repr=False)
    confidence: float | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        stop = min(stop, len(self))
        masks: Bool[np.ndarray, "t h w"] = np.zeros((max(0, stop - start), *self.shape[1:]), dtype=np.bool_)
        for mask, index in zip(masks, range(start, stop), strict=True):
            if index in self.cutouts:
                self.cutouts[index].lay(mask)
        return masks


def hold(track: MaskTrack, frames: FrameSource) -> CutoutTrack:
    """A track that is computed when it is read, computed once."""
    cutouts = {}
    for start in range(0, len(track), WINDOW):
        for index, mask in enumerate(track.read(start, start + WINDOW), start):
            cutouts[index] = Cutout.of(mask)
    shape = (len(track), frames.height, frames.width)
    return CutoutTrack(track.role, track.label, shape, cutouts, track.confidence)
