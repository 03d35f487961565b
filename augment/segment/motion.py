"""What differs from the clean plate moves, or holds what moves; shadows and reflections on the plate do not count."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image
from scipy import ndimage

from augment.images import box_blur, grow, pixels, translate
from augment.segment.base import Segmenter
from augment.types import Background, MaskTrack, Role
from robot_io.types import Episode, FrameSource

SAME_TEXTURE = 10.0  # grey levels
SMALL_HOLE = 0.002  # of the picture
WORKING_HEIGHT = 240  # pixels: masks are found at about this size
NOISE, DETAIL, SHADING = 0.004, 0.004, 0.02  # of the height: radii on which differences, textures and light are seen


@dataclass(frozen=True)
class Motion(Segmenter):
    """`segment=motion`: needs no weights and no masks, only a camera that stands still."""

    low: float = 14.0
    """Least difference, 0..255 in the most different channel, of a pixel that belongs to something moving."""
    high: float = 34.0
    """Difference that something moving reaches at least somewhere."""
    misregistration: float = 1.0
    """Pixels: how far an edge of the plate may be off without being taken for something moving."""
    darkest_shadow: float = 0.35
    """Least share of its light that a shadowed surface keeps."""
    smallest: float = 0.0005
    """Fraction of the picture; smaller blobs are noise."""
    margin: float = 0.004
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
        masks = [self._mask(frame, index) for index, frame in enumerate(clip.frames, clip.start)]
        return np.stack(masks) if masks else np.zeros((0, self.frames.height, self.frames.width), np.bool_)

    def _mask(self, frame: UInt8[np.ndarray, "h w 3"], index: int) -> Bool[np.ndarray, "h w"]:
        gain = self.background.gains[index][:, None, None]
        known = self._still
        if self.background.shifts[index].any():
            known = _Expected.of(translate(self.background.plate, self.background.shifts[index]), self._reduction)
        seen = _planes(frame, self._reduction)
        lit = np.minimum(gain * known.planes, np.float32(255))  # a brighter frame saturates
        tolerance = self.options.low + self.options.misregistration * known.slope
        excess = _blur(np.abs(seen - lit), NOISE).max(axis=0) - tolerance
        foreign = (excess > 0) & ~self._only_lit_otherwise(seen, gain, known)
        small = self._blobs(foreign, excess.astype(np.float32))
        return _enlarged(small, self._reduction, frame.shape[0], frame.shape[1])

    @property
    def _reduction(self) -> int:
        return max(1, round(self.frames.height / WORKING_HEIGHT))

    @cached_property
    def _still(self) -> "_Expected":
        return _Expected.of(self.background.plate, self._reduction)

    def _only_lit_otherwise(
        self, seen: Float32[np.ndarray, "3 h w"], gain: Float32[np.ndarray, "3 1 1"], known: "_Expected"
    ) -> Bool[np.ndarray, "h w"]:
        """The same surface in shadow or in a little more light: same chromaticity, same texture.

        A shadow's colour may drift from the plate's the more, the deeper it is, as the light that is left is another.
        """
        detail = _blur(seen, DETAIL)
        ratio = (detail + 2) / (gain * known.detail + 2)
        light = ratio.mean(axis=0)
        drift = np.abs(ratio - light).max(axis=0)
        texture = np.abs(detail - _blur(seen, SHADING) - light * gain * known.texture).max(axis=0)
        shadow = (light > self.options.darkest_shadow) & (light <= 1) & (drift < 0.05 + 0.1 * (1 - light))
        glow = (light > 1) & (light < 1.25) & (drift < 0.06)
        return np.asarray((shadow | glow) & (texture < SAME_TEXTURE))

    def _blobs(self, foreign: Bool[np.ndarray, "h w"], excess: Float32[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
        """Connected pieces that are large enough and somewhere beyond doubt, closed and filled."""
        pieces, count = ndimage.label(foreign, np.ones((3, 3)))
        numbers = np.arange(count + 1)
        strongest = np.atleast_1d(ndimage.maximum(excess, pieces, numbers))
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        kept = (strongest > self.options.high - self.options.low) & (sizes >= self.options.smallest * foreign.size)
        kept[0] = False
        radius = pixels(2 * self.options.margin, foreign.shape[0])
        closed = ~grow(~grow(kept[pieces], radius), radius)
        return grow(closed | _small_holes(closed), pixels(self.options.margin, foreign.shape[0]))


@dataclass(frozen=True, eq=False)
class _Expected:
    """The plate as frames are compared with it, reduced; all of it scales with a frame's gain."""

    planes: Float32[np.ndarray, "3 h w"]
    detail: Float32[np.ndarray, "3 h w"]
    texture: Float32[np.ndarray, "3 h w"]
    slope: Float32[np.ndarray, "h w"]

    @classmethod
    def of(cls, plate: UInt8[np.ndarray, "H W 3"], reduction: int) -> "_Expected":
        planes = _planes(plate, reduction)
        detail = _blur(planes, DETAIL)
        slope = np.hypot(*np.gradient(detail.mean(axis=0)))
        return cls(planes, detail, detail - _blur(planes, SHADING), slope.astype(np.float32))


def _planes(picture: UInt8[np.ndarray, "H W 3"], reduction: int) -> Float32[np.ndarray, "3 h w"]:
    """Channels first, every pixel the mean of `reduction` x `reduction`."""
    reduced = np.asarray(Image.fromarray(picture).reduce(reduction)) if reduction > 1 else picture
    return np.ascontiguousarray(np.moveaxis(reduced, -1, 0), dtype=np.float32)


def _blur(planes: Float32[np.ndarray, "3 h w"], scale: float) -> Float32[np.ndarray, "3 h w"]:
    """Mean over a square whose radius is a fraction of the height."""
    return box_blur(planes, pixels(scale, planes.shape[1]))


def _enlarged(mask: Bool[np.ndarray, "h w"], factor: int, height: int, width: int) -> Bool[np.ndarray, "H W"]:
    """Back to the frame's size, the steps of the edge rounded off."""
    if factor == 1:
        return mask
    large = np.repeat(np.repeat(mask, factor, axis=0), factor, axis=1)[:height, :width]
    return np.asarray(box_blur(large.astype(np.float32), factor) > 0.5)


def _small_holes(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Holes that are noise; larger ones show what lies behind an arm and a table."""
    holes, _ = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    sizes = np.bincount(holes.ravel())
    small = sizes < SMALL_HOLE * mask.size
    small[0] = False
    return np.asarray(small[holes])
