"""Pictures as motion sees them: small, smooth, channels first."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from augment.images import planes


@dataclass(frozen=True, eq=False)
class Surface:
    """What a plate says of the frames that show it."""

    smooth: Float32[np.ndarray, "3 h w"]
    """0..255."""
    texture: Float32[np.ndarray, "3 h w"]
    slope: Float32[np.ndarray, "h w"]
    """Grey levels from pixel to pixel, where it is steepest."""

    @classmethod
    def of(cls, plate: UInt8[np.ndarray, "H W 3"], reduction: int) -> "Surface":
        smooth = smoothed(plate, reduction)
        return cls(smooth, texture(smooth), np.hypot(*np.gradient(smooth.mean(axis=0))))

    def __getitem__(self, part: tuple[slice, slice]) -> "Surface":
        """A rectangle of it."""
        planes = (slice(None), *part)
        return Surface(self.smooth[planes], self.texture[planes], self.slope[part])

    def exposed(self, gain: Float32[np.ndarray, "3"]) -> "Surface":
        """The same in a frame of another exposure; a brighter one saturates."""
        if (gain == 1).all():
            return self
        smooth = np.minimum(gain[:, None, None] * self.smooth, np.float32(255))
        return Surface(smooth, gain[:, None, None] * self.texture, gain.mean() * self.slope)


def smoothed(picture: UInt8[np.ndarray, "H W 3"], reduction: int) -> Float32[np.ndarray, "3 h w"]:
    """Every pixel is made of `reduction` x `reduction` recorded ones, then averaged with its neighbours."""
    return _mean(planes(picture, reduction), 1)


def texture(smooth: Float32[np.ndarray, "3 h w"]) -> Float32[np.ndarray, "3 h w"]:
    """Difference to the 9 x 9 pixels around: to the means of 3 x 3, three apart."""
    return np.asarray(smooth - _mean(smooth, 3))


def _mean(picture: Float32[np.ndarray, "3 h w"], apart: int) -> Float32[np.ndarray, "3 h w"]:
    """Of 3 x 3 pixels that lie so far apart, edges repeated."""
    mean = np.empty_like(picture)
    for values, found in zip(picture, mean, strict=True):  # one channel fits the cache
        rows = _sums(values, apart)
        found[:] = _sums(rows.T, apart).T * np.float32(1 / 9)
    return mean


def _sums(values: Float32[np.ndarray, "n m"], apart: int) -> Float32[np.ndarray, "n m"]:
    """Of each row and those so far before and after it."""
    sums = values.copy(order="K")
    sums[apart:] += values[:-apart]
    sums[:-apart] += values[apart:]
    sums[:apart] += values[0]
    sums[-apart:] += values[-1]
    return sums
