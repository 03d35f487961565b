"""What differs from the clean plate moves, or holds what moves; shadows and reflections on the plate do not count."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy import ndimage

from augment.images import grow, pixels, translate
from augment.segment.base import Segmenter
from augment.types import Background, MaskTrack, Role
from robot_io.types import Episode, FrameSource

SAME_TEXTURE = 10.0  # grey levels
SMALL_HOLE = 0.002  # of the picture
NOISE, DETAIL, SHADING = 0.003, 0.005, 0.017  # of the height: scales on which differences, textures and light are seen


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
        plate = translate(self.background.plate, self.background.shifts[index]).astype(np.float32)
        expected = np.minimum(plate * self.background.gains[index], np.float32(255))  # a brighter frame saturates
        seen = frame.astype(np.float32)
        excess = _smooth(np.abs(seen - expected), NOISE).max(axis=2) - self._tolerance(expected)
        foreign = (excess > 0) & ~self._only_lit_otherwise(_smooth(seen, DETAIL), _smooth(expected, DETAIL))
        return self._blobs(foreign, excess)

    def _tolerance(self, expected: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
        """Differences up to this are explained by noise, or by an edge that is registered not quite right."""
        slope = np.hypot(*np.gradient(ndimage.gaussian_filter(expected.mean(axis=2), 1.0)))
        return np.asarray(self.options.low + self.options.misregistration * slope, dtype=np.float32)

    def _only_lit_otherwise(
        self, seen: Float32[np.ndarray, "h w 3"], expected: Float32[np.ndarray, "h w 3"]
    ) -> Bool[np.ndarray, "h w"]:
        """The same surface in shadow or in a little more light: same chromaticity, same texture.

        A shadow's colour may drift from the plate's the more, the deeper it is, as the light that is left is another.
        """
        ratio = (seen + 2) / (expected + 2)
        light = ratio.mean(axis=2)
        drift = np.abs(ratio - light[..., None]).max(axis=2)
        seen_texture, expected_texture = seen - _smooth(seen, SHADING), expected - _smooth(expected, SHADING)
        texture = np.abs(seen_texture - light[..., None] * expected_texture).max(axis=2)
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


def _small_holes(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Holes that are noise; larger ones show what lies behind an arm and a table."""
    holes, _ = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    sizes = np.bincount(holes.ravel())
    small = sizes < SMALL_HOLE * mask.size
    small[0] = False
    return np.asarray(small[holes])


def _smooth(values: Float32[np.ndarray, "h w 3"], scale: float) -> Float32[np.ndarray, "h w 3"]:
    """Gaussian whose sigma is a fraction of the height."""
    sigma = scale * values.shape[0]
    return np.asarray(ndimage.gaussian_filter(values, (sigma, sigma, 0)))
