"""From key frames to all frames without weights: what differs from the clean plate belongs to the nearest mask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int
from scipy import ndimage

from augment.segment.grounded.cutouts import Cutout
from augment.types import MaskTrack, Role

REACH = 0.15  # of the height, beyond which what moves belongs to nobody: the witness reports it


@dataclass(frozen=True, eq=False)
class Difference:
    """Tracks that are known in key frames, and in between are shares of all that moves."""

    motion: MaskTrack
    """All that differs from the clean plate."""
    keys: Sequence[Mapping[int, Cutout]] = field(repr=False)
    """By track and key frame."""
    height: int
    width: int

    def read(self, number: int, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        """Track `number`: in key frames its mask; between two, what both show of it and the nearest of what moves."""
        moving = self.motion.read(start, stop)
        masks = np.zeros_like(moving)
        for mask, moves, frame in zip(masks, moving, range(start, start + len(moving)), strict=True):
            if frame in self._frames:
                self._lay(number, frame, mask)
            else:
                around = self._around(frame)
                whose, near = self._whose(around)
                mask |= moves & near & (whose == number)
                rests = [self._mask(number, key) for key in around]
                mask |= np.logical_and.reduce(rests)
        return masks

    @property
    def _frames(self) -> list[int]:
        return sorted({frame for masks in self.keys for frame in masks})

    def _around(self, frame: int) -> list[int]:
        """The key frames before and after; the one there is at an end."""
        before = [key for key in self._frames if key < frame]
        after = [key for key in self._frames if key > frame]
        return [*before[-1:], *after[:1]]

    def _whose(self, keys: Sequence[int]) -> tuple[Int[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        """For every pixel the number of the nearest track in some key frames, and whether it is near enough."""
        owners: Int[np.ndarray, "h w"] = np.full((self.height, self.width), -1)
        for number in reversed(range(len(self.keys))):  # where tracks overlap, the first one counts
            for key in keys:
                owners[self._mask(number, key)] = number
        if not (owners >= 0).any():
            return owners, owners >= 0
        distance, nearest = ndimage.distance_transform_edt(owners < 0, return_indices=True)
        return owners[tuple(nearest)], distance <= REACH * self.height

    def _mask(self, number: int, frame: int) -> Bool[np.ndarray, "h w"]:
        mask: Bool[np.ndarray, "h w"] = np.zeros((self.height, self.width), dtype=np.bool_)
        self._lay(number, frame, mask)
        return mask

    def _lay(self, number: int, frame: int, mask: Bool[np.ndarray, "h w"]) -> None:
        cutout = self.keys[number].get(frame)
        if cutout is not None:
            cutout.lay(mask)


@dataclass(frozen=True, eq=False)
class DifferenceTrack:
    """A MaskTrack, computed when it is read."""

    difference: Difference
    number: int
    role: Role
    label: str
    length: int
    confidence: float | None = None

    def __len__(self) -> int:
        return self.length

    def read(self, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        return self.difference.read(self.number, start, min(stop, self.length))
