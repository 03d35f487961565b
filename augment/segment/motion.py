"""What differs from the clean plate moves, or holds what moves. First version: a registered difference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy import ndimage

from augment.images import box_blur, grow, pixels, translate
from augment.segment.base import Segmenter
from augment.types import Background, MaskTrack, Role
from robot_io.types import Episode, FrameSource


@dataclass(frozen=True)
class Motion(Segmenter):
    """`segment=motion`: needs no weights and no masks, only a camera that stands still."""

    low: float = 12.0
    """Least difference, 0..255 in the most different channel, of a pixel that belongs to something moving."""
    high: float = 30.0
    """Difference that something moving reaches at least somewhere."""
    smallest: float = 0.0005
    """Fraction of the picture; smaller blobs are noise."""
    margin: float = 0.008
    """Fraction of the height by which masks are grown: the edge of a difference is uncertain."""

    def find(self, episode: Episode, camera: str, background: Background) -> Sequence[MaskTrack]:
        return [MotionMask(episode.cameras[camera], background, self)]

    def provides(self, episode: Episode, camera: str) -> frozenset[Role]:
        return frozenset({Role.ROBOT, Role.OBJECT})


@dataclass(frozen=True)
class MotionMask:
    """A MaskTrack, computed when it is read, of the robot together with whatever it moves."""

    frames: FrameSource
    background: Background
    options: Motion
    role: Role = Role.ROBOT
    label: str = "robot and what it moves"

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        clip = self.frames.read(start, min(stop, len(self)))
        shifts = self.background.shifts[clip.start : clip.stop]
        masks = [self._mask(frame, shift) for frame, shift in zip(clip.frames, shifts, strict=True)]
        return np.stack(masks) if masks else np.zeros((0, self.frames.height, self.frames.width), np.bool_)

    def _mask(self, frame: UInt8[np.ndarray, "h w 3"], shift: Float32[np.ndarray, "2"]) -> Bool[np.ndarray, "h w"]:
        height = frame.shape[0]
        difference = self._difference(frame, translate(self.background.plate, shift))
        blobs, count = ndimage.label(difference > self.options.low)
        if not count:
            return np.zeros(difference.shape, dtype=np.bool_)
        numbers = np.arange(count + 1)
        strongest = ndimage.maximum(difference, blobs, numbers)
        sizes = np.bincount(blobs.ravel(), minlength=count + 1)
        kept = (strongest > self.options.high) & (sizes >= self.options.smallest * difference.size)
        kept[0] = False
        mask = grow(kept[blobs], pixels(2 * self.options.margin, height))
        filled: np.ndarray = ndimage.binary_fill_holes(mask)
        return ~grow(~filled, pixels(self.options.margin, height))  # closing: grown by two margins, shrunk by one

    def _difference(self, frame: np.ndarray, plate: np.ndarray) -> Float32[np.ndarray, "h w"]:
        """Greatest channel difference after removing the frame's exposure relative to the plate, lightly smoothed."""
        seen, expected = frame.astype(np.float32), plate.astype(np.float32)
        lit = expected.min(axis=2) > 8
        gain = np.median(seen[lit] / expected[lit], axis=0) if lit.any() else np.ones(3, np.float32)
        lit_plate = np.minimum(gain.astype(np.float32) * expected, np.float32(255))  # a brighter frame saturates
        smooth = np.moveaxis(box_blur(np.moveaxis(np.abs(seen - lit_plate), 2, 0), 1), 0, 2)
        strongest: np.ndarray = smooth.max(axis=2)
        return strongest
