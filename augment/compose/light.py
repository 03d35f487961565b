"""The recorded light, carried over: how much darker each frame's background is than the clean plate.

Ratios are of linear light, taken as the 2.2nd power of the recorded values; multiplying a new plate's recorded values
by `ratio ** (1 / 2.2)` is then the same as multiplying its linear light by the ratio.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

from augment.images import box_blur, pixels

GAMMA = 2.2
DARKEST = 0.05  # contact shadows are deep; less than this is noise
DARK = 40.0  # grey levels: too dark a plate to tell a ratio
DRIFT = 0.12  # of a channel's ratio from the mean: more is another surface, not another light
SHADE = 0.1  # loss of linear light: what loses more tells the colour of a shadow
FEW = 0.001  # of the picture in full shadow: that much is needed to tell it
REACH = 6  # times the blur: how far light is interpolated where nothing is known


@dataclass(frozen=True)
class Light:
    """Options of the shadow transfer."""

    shadows: bool = True
    """Whether the robot's real shadows are carried over."""
    smoothing: float = 0.006
    """Fraction of the height over which light is averaged: finer detail belongs to the old surface."""
    lit: float = 0.93
    """Ratios from here to 1 fade to full light, so that noise does not."""
    softness: float = 1.0
    """Exponent of the ratio: below 1 for a new light that is softer than the recorded one."""

    def ratio(
        self,
        seen: Float32[np.ndarray, "h w 3"],
        expected: Float32[np.ndarray, "h w 3"],
        background: Bool[np.ndarray, "h w"],
    ) -> Float32[np.ndarray, "h w 3"]:
        """Factor in 0.05..1 for linear light at every pixel; known on the background, interpolated elsewhere.

        Shadows have a colour, that of the light which is left in them: the channels lose light in one proportion, which
        is the same all over a frame.

        `seen`, `expected`: the frame and the clean plate at its exposure, 0..255 as recorded.
        `background`: True where the frame shows the plate's surfaces for sure.
        """
        half = (slice(None, None, 2), slice(None, None, 2))  # light is smooth: half the resolution is plenty
        # channel by channel: reductions over an axis of three are slow
        channels = [(seen[half][..., channel], expected[half][..., channel]) for channel in range(3)]
        ratios = [(there + 2) / (before + 2) for there, before in channels]
        mean = sum(ratios[1:], ratios[0]) / 3
        known = background[half].copy()
        for ratio, (_, before) in zip(ratios, channels, strict=True):
            known &= (np.abs(ratio - mean) < DRIFT) & (before > DARK)
        weight = known.astype(np.float32)
        radius = pixels(self.smoothing, weight.shape[0])
        linear = np.clip(mean, 0, 1.1).astype(np.float32) ** np.float32(GAMMA)
        near = _average(linear, weight, radius)
        far = _average(linear, weight, REACH * radius)
        light = np.where(np.isfinite(near), near, np.where(np.isfinite(far), far, 1))
        light = np.where(light > self.lit, light + (1 - light) * _ramp((light - self.lit) / (1 - self.lit)), light)
        zoom = (seen.shape[0] / light.shape[0], seen.shape[1] / light.shape[1])
        large = ndimage.zoom(np.clip(light, DARKEST, 1), zoom, order=1, grid_mode=True, mode="nearest")
        lost = (1 - large.astype(np.float32))[..., None] * _colour(ratios, mean, known)
        return np.asarray(np.clip(1 - lost, DARKEST, 1) ** np.float32(self.softness), dtype=np.float32)

    def factor(
        self,
        seen: Float32[np.ndarray, "h w 3"],
        expected: Float32[np.ndarray, "h w 3"],
        background: Bool[np.ndarray, "h w"],
    ) -> Float32[np.ndarray, "h w 3"]:
        """The same for recorded values; 1 everywhere if shadows are not to be carried over."""
        if not self.shadows:
            return np.ones(seen.shape, dtype=np.float32)
        return np.asarray(self.ratio(seen, expected, background) ** np.float32(1 / GAMMA))


def _colour(
    ratios: Sequence[Float32[np.ndarray, "h w"]], mean: Float32[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"]
) -> Float32[np.ndarray, "3"]:
    """How much of its linear light each channel loses in shadow, relative to the mean of the channels."""
    shaded = known & (mean < (1 - SHADE) ** (1 / GAMMA))
    lost = np.array([(1 - ratio[shaded] ** GAMMA).sum() for ratio in (*ratios, mean)]) + FEW * mean.size
    return np.asarray(lost[:3] / lost[3], dtype=np.float32)


def _average(
    values: Float32[np.ndarray, "h w"], weight: Float32[np.ndarray, "h w"], radius: int
) -> Float32[np.ndarray, "h w"]:
    """Weighted mean over two passes of a box; NaN where no weight is near."""
    total, mass = values * weight, weight
    for _ in range(2):
        total, mass = box_blur(total, radius), box_blur(mass, radius)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(mass > 0.02, total / mass, np.nan), dtype=np.float32)


def _ramp(position: np.ndarray) -> np.ndarray:
    position = np.clip(position, 0, 1)
    return np.asarray(position * position * (3 - 2 * position))
