"""From key frames to all frames without weights: what differs from the clean plate belongs to the nearest mask."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

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
    _nearest: dict[str, Any] = field(default_factory=dict, repr=False)

    def read(self, number: int, start: int, stop: int) -> Bool[np.ndarray, "t h w"]:
        """Track `number`: in its key frames its mask; between two, what both show of it, and the nearest that moves."""
        moving = self.motion.read(start, stop)
        masks = np.zeros_like(moving)
        for mask, moves, frame in zip(masks, moving, range(start, start + len(moving)), strict=True):
            keys = self._keys(number, frame)
            if keys == (frame,):
                mask |= self._mask(number, frame)
                continue
            whose, near = self._whose(tuple(self._keys(other, frame) for other in range(len(self.keys))))
            mask |= moves & near & (whose == number)
            if len(keys) > 1:
                mask |= np.logical_and.reduce([self._mask(number, key) for key in keys])
        return masks

    def _keys(self, number: int, frame: int) -> tuple[int, ...]:
        """Key frames of a track that tell of a frame: itself, or those before and after; only one at an end."""
        frames = self._frames[number]
        place = bisect_left(frames, frame)
        if place < len(frames) and frames[place] == frame:
            return (frame,)
        return (*frames[max(0, place - 1) : place], *frames[place : place + 1])

    @cached_property
    def _frames(self) -> list[list[int]]:
        return [sorted(masks) for masks in self.keys]

    def _whose(self, keys: tuple[tuple[int, ...], ...]) -> tuple[Int[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        """For every pixel the number of the nearest track in key frames of each, and whether it is near enough."""
        if self._nearest.get("keys") != keys:  # the same for all frames between two keys
            self._nearest.update(keys=keys, found=self._find_nearest(keys))
        found: tuple[Int[np.ndarray, "h w"], Bool[np.ndarray, "h w"]] = self._nearest["found"]
        return found

    def _find_nearest(self, keys: Sequence[Sequence[int]]) -> tuple[Int[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        owners: Int[np.ndarray, "h w"] = np.full((self.height, self.width), -1)
        for number in reversed(range(len(keys))):  # where tracks overlap, the first one counts
            for key in keys[number]:
                owners[self._mask(number, key)] = number
        if not (owners >= 0).any():
            return owners, owners >= 0
        distance, nearest = ndimage.distance_transform_edt(owners < 0, return_indices=True)
        return owners[tuple(nearest)], distance <= REACH * self.height

    def _mask(self, number: int, frame: int) -> Bool[np.ndarray, "h w"]:
        mask: Bool[np.ndarray, "h w"] = np.zeros((self.height, self.width), dtype=np.bool_)
        self.keys[number][frame].lay(mask)
        return mask


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
