"""Frames of a recording laid over each other, so that what is behind them can be seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from augment.images import Warp, destinations, grow, is_blank, pixels, reduced, unwarp, warp
from augment.scene.exposure import exposure
from robot_io.types import FrameSource, MaskTrack

MASK_MARGIN = 0.008  # of the height: what touches a mask is not trusted to be background


@dataclass(frozen=True, eq=False)
class Samples:
    """Frames, registered and brought to one exposure."""

    pictures: UInt8[np.ndarray, "n h w 3"]
    covered: Bool[np.ndarray, "n h w"]
    """True where something stands before the background or close to it, or nothing was filmed."""
    hidden: Bool[np.ndarray, "n h w"]
    """Of that, what surely shows something else."""
    indices: tuple[int, ...]
    """Frames of the recording that the first samples are; the others are of companions."""
    warps: Float32[Warp, "own"]
    """How those had moved."""

    def __add__(self, other: "Samples") -> "Samples":
        pictures = np.concatenate([self.pictures, other.pictures])
        covered, hidden = np.concatenate([self.covered, other.covered]), np.concatenate([self.hidden, other.hidden])
        return replace(self, pictures=pictures, covered=covered, hidden=hidden)

    def without(self, tracks: Sequence[MaskTrack]) -> "Samples":
        """The same, with what the tracks of the recording hide marked as covered."""
        if not tracks:
            return self
        masks = np.zeros_like(self.covered)
        for number, (index, back) in enumerate(zip(self.indices, unwarp(self.warps), strict=True)):
            for track in tracks:
                masks[number] |= warp(track.read(index, index + 1)[0], back)
        return self.behind(masks)

    def behind(self, masks: Bool[np.ndarray, "n h w"]) -> "Samples":
        """The same, with what masks of all pictures hold marked as hidden, and with a margin as covered."""
        margin = pixels(MASK_MARGIN, masks.shape[1])
        covered = self.covered | np.stack([grow(mask, margin) for mask in masks])  # by itself, each fits the cache
        return replace(self, covered=covered, hidden=self.hidden | masks)

    def exposed_like(self, reference: UInt8[np.ndarray, "h w 3"]) -> "Samples":
        """The same at the exposure of a plate."""
        levels, pictures = np.arange(256, dtype=np.float32), np.empty_like(self.pictures)
        for picture, exposed in zip(self.pictures, pictures, strict=True):
            gains = exposure(picture, reference)
            table = np.rint(np.minimum(levels / gains[:, None], 255)).astype(int)
            exposed[:] = Image.fromarray(picture).point(table.ravel().tolist())
        return replace(self, pictures=pictures)

    def reduced(self, factor: int) -> "Samples":
        """Every pixel the mean of `factor` x `factor`; covered where any of them is."""
        if factor == 1:
            return self
        pictures = np.stack([reduced(picture, factor) for picture in self.pictures])
        covered = np.zeros(pictures.shape[:3], dtype=np.bool_)
        for down in range(factor):
            for right in range(factor):
                part = self.covered[:, down::factor, right::factor]
                covered[:, : part.shape[1], : part.shape[2]] |= part
        return replace(self, pictures=pictures, covered=covered, hidden=self.hidden[:, ::factor, ::factor])


def sample_indices(length: int, samples: int) -> list[int]:
    """Up to `samples` frame indices, spread evenly from the first to the last."""
    count = min(length, samples)
    return sorted({round(position) for position in np.linspace(0, length - 1, count)})


def pictures_at(frames: FrameSource, indices: Sequence[int]) -> dict[int, UInt8[np.ndarray, "h w 3"]]:
    """Frames by index. Of these, see `shown`."""
    return shown({index: frames.read(index, index + 1).frames[0] for index in indices})


def shown(pictures: dict[int, UInt8[np.ndarray, "h w 3"]]) -> dict[int, UInt8[np.ndarray, "h w 3"]]:
    """Without those that show nothing, unless all are such."""
    return {index: picture for index, picture in pictures.items() if not is_blank(picture)} or pictures


def take_samples(pictures: Mapping[int, UInt8[np.ndarray, "h w 3"]], warps: Float32[Warp, "t"]) -> Samples:
    """Frames of the recording by index, laid over each other. `warps`: of all its frames."""
    indices = tuple(pictures)
    samples = lay_over(list(pictures.values()), warps[list(indices)])
    return replace(samples, indices=indices, warps=warps[list(indices)])


def lay_over(pictures: Sequence[UInt8[np.ndarray, "h w 3"]], warps: Float32[Warp, "n"]) -> Samples:
    """Pictures that have moved by `warps`, moved back, at the exposure they were filmed with."""
    moved = [warp(picture, back) for picture, back in zip(pictures, unwarp(warps), strict=True)]
    beyond = [_beyond(picture.shape[0], picture.shape[1], by) for picture, by in zip(pictures, warps, strict=True)]
    return Samples(np.stack(moved), np.stack(beyond), np.zeros(np.shape(beyond), np.bool_), (), warps[:0])


def _beyond(height: int, width: int, by: Warp) -> Bool[np.ndarray, "h w"]:
    """Pixels that lie outside the frame once it is moved back."""
    if not by.any():
        return np.zeros((height, width), dtype=np.bool_)
    y = (np.arange(height, dtype=np.float32) - np.float32((height - 1) / 2))[:, None]
    x = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2)
    down, right = destinations(by, y, x)
    outside = (np.abs(down) > (height - 1) / 2 + 1e-3) | (np.abs(right) > (width - 1) / 2 + 1e-3)
    return np.asarray(outside)
