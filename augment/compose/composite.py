"""Recorded pixels over a new plate: exact where they are kept, a soft band around them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.images import box_blur, grow, pixels, translate
from robot_io.types import Clip


@dataclass(frozen=True)
class Composite:
    """Two masks: an exact one, which keeps recorded pixels as they are, and a generous one, beyond which all is new."""

    margin: float = 0.0
    """Fraction of the height by which the exact mask is grown beyond the tracks."""
    band: float = 0.006
    """Fraction of the height, at least one pixel: width of the soft band between the two masks."""

    def exact(self, keep: Bool[np.ndarray, "t h w"]) -> Bool[np.ndarray, "t h w"]:
        """Pixels that stay exactly as recorded."""
        return grow(keep, pixels(self.margin, keep.shape[1]))

    def alpha(self, exact: Bool[np.ndarray, "t h w"]) -> Float32[np.ndarray, "t h w"]:
        """Weight of the recording: 1 where exact, falling to 0 over the band outside it."""
        # beside a straight edge half of the blur's window is covered, hence the 2
        outside = 2 * box_blur(exact.astype(np.float32), pixels(self.band, exact.shape[1]))
        return np.where(exact, np.float32(1), np.minimum(outside, np.float32(1 - 1e-3)))

    def __call__(
        self,
        clip: Clip,
        exact: Bool[np.ndarray, "t h w"],
        plate: UInt8[np.ndarray, "h w 3"],
        shifts: Float32[np.ndarray, "t 2"],
    ) -> Clip:
        """The restaged clip; `shifts` (pixels) moves the plate with a camera that sways."""
        frames = np.empty_like(clip.frames)
        for index, alpha in enumerate(self.alpha(exact)):
            recorded, new = clip.frames[index], translate(plate, shifts[index])
            frames[index] = np.where(alpha[..., None] == 1, recorded, new)
            band = (alpha > 0) & (alpha < 1)
            weight = alpha[band][:, None]
            frames[index][band] = np.rint(weight * recorded[band] + (1 - weight) * new[band])
        return Clip(clip.camera, clip.start, frames, clip.timestamps)
