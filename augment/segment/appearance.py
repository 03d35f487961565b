"""Pictures as motion sees them: small, smooth, channels first."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

NOISE, DETAIL = 1, 3  # pixels: radii over which noise is averaged, and texture is told from what is larger


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
        smooth = np.minimum(gain[:, None, None] * self.smooth, np.float32(255))
        return Surface(smooth, gain[:, None, None] * self.texture, gain.mean() * self.slope)


def smoothed(picture: UInt8[np.ndarray, "H W 3"], reduction: int) -> Float32[np.ndarray, "3 h w"]:
    """Every pixel is made of `reduction` x `reduction` recorded ones, then averaged with its neighbours."""
    reduced = np.asarray(Image.fromarray(picture).reduce(reduction)) if reduction > 1 else picture
    return _mean(np.ascontiguousarray(np.moveaxis(reduced, -1, 0), dtype=np.float32), NOISE)


def texture(smooth: Float32[np.ndarray, "3 h w"]) -> Float32[np.ndarray, "3 h w"]:
    """Difference to the surroundings."""
    return np.asarray(smooth - _mean(smooth, DETAIL))


def _mean(planes: Float32[np.ndarray, "3 h w"], radius: int) -> Float32[np.ndarray, "3 h w"]:
    """Over a square, edges repeated; adding up the few pixels that it is wide is faster than a general filter."""
    for axis in (1, 2):
        values = np.moveaxis(planes, axis, 0)
        planes = planes.copy()
        total = np.moveaxis(planes, axis, 0)
        for away in range(1, radius + 1):
            total[away:] += values[:-away]
            total[:-away] += values[away:]
            total[:away] += values[0]
            total[-away:] += values[-1]
    planes *= np.float32(1 / (2 * radius + 1) ** 2)
    return planes
