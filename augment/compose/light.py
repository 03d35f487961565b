"""The recorded light, carried over: how much darker each frame's background is than the clean plate.

Ratios are of linear light, taken as the 2.2nd power of the recorded values; multiplying a new plate's recorded values
by `ratio ** (1 / 2.2)` is then the same as multiplying its linear light by the ratio.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from augment.images import box_blur, interpolated, pixels

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

    def left(
        self,
        seen: Float32[np.ndarray, "3 h w"],
        expected: Float32[np.ndarray, "3 h w"],
        background: Bool[np.ndarray, "h w"],
        factor: int,
    ) -> UInt8[np.ndarray, "H W 3"]:
        """What the frame's light makes of white, 0..255 as recorded: 255 where none is lost, or without `shadows`.

        Known on the background, interpolated elsewhere. Shadows have a colour, that of the light which is left in them:
        the channels lose light in one proportion, which is the same all over a frame.

        `seen`, `expected`: the frame and the clean plate at its exposure, 0..255 as recorded, reduced by `factor`.
        `background`: True where the frame shows the plate's surfaces for sure. The light is `factor` times as large.
        """
        if not self.shadows:
            return np.full((*(factor * size for size in background.shape), 3), 255, dtype=np.uint8)
        ratios = (seen + 2) / (expected + 2)
        mean = ratios.mean(axis=0)
        known = background & ((np.abs(ratios - mean) < DRIFT) & (expected > DARK)).all(axis=0)
        light = self._smooth(np.clip(mean, 0, np.float32(1.1)) ** np.float32(GAMMA), known.astype(np.float32))
        grey = np.rint(255 * light ** np.float32(1 / GAMMA)).astype(np.uint8)
        large = Image.fromarray(interpolated(grey, factor))
        large.putpalette(self._tints(_colour(ratios, mean, known)).tobytes())
        return np.asarray(large.convert("RGB"))

    def _tints(self, colour: Float32[np.ndarray, "3"]) -> UInt8[np.ndarray, "256 3"]:
        """What the channels record where their mean is 0..255, of white."""
        lost = 1 - (np.arange(256, dtype=np.float32)[:, None] / 255) ** np.float32(GAMMA)
        left = np.clip(1 - lost * colour, np.float32(DARKEST), 1)
        return np.asarray(np.rint(255 * left ** np.float32(self.softness / GAMMA)), dtype=np.uint8)

    def _smooth(
        self, linear: Float32[np.ndarray, "h w"], weight: Float32[np.ndarray, "h w"]
    ) -> Float32[np.ndarray, "h w"]:
        """The ratio of linear light without noise, interpolated where its weight is 0."""
        radius = pixels(self.smoothing, weight.shape[0])
        coarse = (slice(None, None, REACH // 2), slice(None, None, REACH // 2))
        far = _average(linear[coarse], weight[coarse], 2 * radius, np.float32(1))
        light = _average(linear, weight, radius, _enlarged(far, *linear.shape))
        faded = light + (1 - light) * _ramp((light - self.lit) / (1 - self.lit))
        return np.asarray(np.clip(faded, np.float32(DARKEST), 1))


def _colour(
    ratios: Float32[np.ndarray, "3 h w"], mean: Float32[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"]
) -> Float32[np.ndarray, "3"]:
    """How much of its linear light each channel loses in shadow, relative to the mean of the channels."""
    shaded = known & (mean < (1 - SHADE) ** (1 / GAMMA))
    lost = np.array([(1 - ratio[shaded] ** GAMMA).sum() for ratio in (*ratios, mean)]) + FEW * mean.size
    return np.asarray(lost[:3] / lost[3], dtype=np.float32)


def _average(
    values: Float32[np.ndarray, "h w"],
    weight: Float32[np.ndarray, "h w"],
    radius: int,
    otherwise: np.float32 | Float32[np.ndarray, "h w"],
) -> Float32[np.ndarray, "h w"]:
    """Weighted mean over two passes of a box; `otherwise` where no weight is near."""
    sums = np.stack([values * weight, weight])
    for _ in range(2):
        sums = box_blur(sums, radius)
    total, mass = sums
    return np.asarray(np.where(mass > 0.02, total / np.maximum(mass, np.float32(0.02)), otherwise))


def _enlarged(values: Float32[np.ndarray, "h w"], height: int, width: int) -> Float32[np.ndarray, "H W"]:
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def _ramp(position: np.ndarray) -> np.ndarray:
    position = np.clip(position, 0, 1)
    return np.asarray(position * position * (3 - 2 * position))
