"""What differs from the clean plate moves, or holds what moves; shadows and reflections on the plate do not count."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image
from scipy import ndimage

from augment.images import box_blur, planes, warp
from augment.segment.base import Segmenter
from augment.segment.spread import spread
from augment.types import Background, MaskTrack, Role
from robot_io.types import Episode, FrameSource

WORKING_HEIGHT = 240  # pixels: masks are found at about this size
NOISE, DETAIL = 1, 3  # pixels there: radii on which differences and textures are seen
SAME_TEXTURE = 10.0  # grey levels
EDGE = 4.0  # grey levels from pixel to pixel: where evidence spreads half as well
REACH = 300.0  # squared pixels over which evidence spreads
SAME, SHADED, LEAST = 0.5, 0.15, 0.05  # confidence: looks like the plate, like its shadow; differs by very little
BRIGHTEST, BRIGHTEST_AT_FIRST = 1.25, 3.3  # ratio to a plate, and to one that may lie in shadow itself
DOUBTFUL = -0.4  # evidence, -1 (background) to 1: holes above it are of what surrounds them


@dataclass(frozen=True)
class Motion(Segmenter):
    """`segment=motion`: needs no weights and no masks, only a camera that stands still."""

    rounds: ClassVar[int] = 2

    low: float = 10.0
    """Least difference, 0..255 in the most different channel, of a pixel that belongs to something moving."""
    high: float = 34.0
    """Difference beyond doubt."""
    misregistration: float = 1.0
    """Pixels: how far an edge of the plate may be off without being taken for something moving."""
    darkest_shadow: float = 0.3
    """Least share of its light that a shadowed surface keeps."""
    smallest: float = 0.0005
    """Fraction of the picture; smaller blobs are noise."""

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
        expected = self._still
        if self.background.warps[index].any():
            expected = planes(warp(self.background.plate, self.background.warps[index]), self._reduction)
        gain = self.background.gains[index][:, None, None]
        brightest = BRIGHTEST if self.background.shadows_known else BRIGHTEST_AT_FIRST
        belief = self._belief(
            planes(frame, self._reduction),
            np.minimum(gain * expected, np.float32(255)),  # a brighter frame saturates
            brightest,
        )
        large = Image.fromarray(belief).resize((self.frames.width, self.frames.height), Image.Resampling.BILINEAR)
        return np.asarray(large) > 0

    @property
    def _reduction(self) -> int:
        return max(1, round(self.frames.height / WORKING_HEIGHT))

    @cached_property
    def _still(self) -> Float32[np.ndarray, "3 h w"]:
        return planes(self.background.plate, self._reduction)

    def _belief(
        self, seen: Float32[np.ndarray, "3 h w"], lit: Float32[np.ndarray, "3 h w"], brightest: float
    ) -> Float32[np.ndarray, "h w"]:
        """From -1, background, to 1, something before it, in pieces that are large enough and without doubtful holes.

        Every pixel's own evidence spreads to its neighbours up to edges that belong to the frame: those of the
        recorded picture that are not the plate's. What has an outline of its own becomes one piece; a soft shadow,
        which has none, goes with the surface that it falls on.
        """
        difference = seen - lit
        differs, confidence = self._evidence(seen, lit, difference, brightest)
        evidence = np.where(differs, np.float32(1), np.float32(-1))
        belief = spread(evidence, confidence, _ease(seen, difference, 2), _ease(seen, difference, 1), REACH)
        return _without_holes(_without_specks(belief, self.options.smallest))

    def _evidence(
        self,
        seen: Float32[np.ndarray, "3 h w"],
        lit: Float32[np.ndarray, "3 h w"],
        difference: Float32[np.ndarray, "3 h w"],
        brightest: float,
    ) -> tuple[Bool[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
        """Pixel by pixel: is it something else than the plate, and how sure is that, 0..1?

        The same surface in shadow, or in a little more light, has the same chromaticity and the same texture. A
        shadow's colour may drift the more, the deeper it is, as the light that is left is another.
        """
        options = self.options
        smooth, plate = box_blur(seen, NOISE), box_blur(lit, NOISE)
        slope = np.hypot(*np.gradient(plate.mean(axis=0)))
        excess = np.abs(box_blur(difference, NOISE)).max(axis=0) - (options.low + options.misregistration * slope)
        excess /= options.high - options.low
        ratio = (smooth + 2) / (plate + 2)
        light = ratio.mean(axis=0)
        drift = np.abs(ratio - light).max(axis=0) / (0.03 + 0.1 * np.maximum(1 - light, 0))
        texture = np.abs(smooth - box_blur(smooth, DETAIL) - light * (plate - box_blur(plate, DETAIL))).max(axis=0)
        strange = np.maximum(drift, texture / SAME_TEXTURE)
        strange[(light < options.darkest_shadow) | (light > brightest)] = 2
        only_lit = strange < 1
        alike = SAME * np.clip(-2 * excess, 0.1, 1)
        confidence = np.where(only_lit, SHADED * (1 - strange), np.clip(excess, LEAST, 1) * np.minimum(strange - 1, 1))
        differs = (excess > 0) & ~only_lit
        return differs, np.where(excess > 0, confidence, alike).astype(np.float32)


def _ease(
    seen: Float32[np.ndarray, "3 h w"], difference: Float32[np.ndarray, "3 h w"], axis: int
) -> Float32[np.ndarray, "h w"]:
    """How well evidence passes to the next pixel along an axis, 0..1: badly over an edge that is in the frame and not
    in the plate."""
    edges = []
    for values in (seen, difference):
        smooth = box_blur(values, NOISE)
        edges.append(np.abs(np.diff(smooth, axis=axis, append=np.take(smooth, [-1], axis))).max(axis=0))
    return np.asarray(1 / (1 + (np.minimum(*edges) / np.float32(EDGE)) ** 4), dtype=np.float32)


def _without_specks(belief: Float32[np.ndarray, "h w"], smallest: float) -> Float32[np.ndarray, "h w"]:
    pieces, count = ndimage.label(belief > 0, np.ones((3, 3)))
    small = np.bincount(pieces.ravel(), minlength=count + 1) < smallest * belief.size
    small[0] = False
    return np.where(small[pieces], np.float32(-1), belief)


def _without_holes(belief: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Holes stay where they show the plate beyond doubt."""
    inside = belief > 0
    holes, count = ndimage.label(ndimage.binary_fill_holes(inside) & ~inside)
    doubtful = ndimage.mean(belief, holes, np.arange(count + 1)) > DOUBTFUL
    doubtful[0] = False
    return np.where(doubtful[holes], np.float32(1), belief)
