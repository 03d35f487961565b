"""A plate at one size, ready for steps towards how it lies on a frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int
from scipy import ndimage

SLOPE = 1.0  # grey levels per pixel: what is flatter says nothing about where it lies
AROUND = 1 / 16  # of the height: standard deviation
FLAT = 8.0  # squared grey levels per pixel, of surroundings in which edges are not bold
MOST = 8000  # such pixels that are looked at, about
ROWS = 60  # of pixels, about, that tell the gain between two pictures


@dataclass(frozen=True, eq=False)
class Level:
    """A plate's smoothed luma at one size, and where it says how it lies."""

    picture: Float32[np.ndarray, "h w"]
    places: Int[np.ndarray, " n"]
    """Pixels that are not flat, counted along the rows."""
    slopes: Float32[np.ndarray, "8 n"]
    """There: how fast the picture changes in each direction of a homography (`images.Warp`), counted as `unit` says.

    The last two say that what lies (y, x) from the middle goes by -y*(zy*y + zx*x) down and -x*(zy*y + zx*x) right:
    the derivative of 1 / (1 + zy*y + zx*x) where it is 1.
    """
    trust: Float32[np.ndarray, " n"]
    """There: the less, the bolder the edges around. Else a robot at rest, with bold edges, which a swaying camera may
    carry along, would outweigh a table on which there is little to see."""
    count: np.float32
    """Of all pixels, flat or not, that those stand for."""

    @classmethod
    def of(cls, picture: Float32[np.ndarray, "h w"]) -> "Level":
        down, right = np.gradient(picture)
        steepness = down * down + right * right
        places = np.flatnonzero(steepness > SLOPE**2)
        every = max(1, len(places) // MOST)
        places = places[::every]
        y, x = (
            (place - np.float32((size - 1) / 2)) / np.float32(picture.shape[0] / 2)
            for place, size in zip(np.unravel_index(places, picture.shape), picture.shape, strict=True)
        )
        down, right = down.ravel()[places], right.ravel()[places]
        around = ndimage.gaussian_filter(steepness, AROUND * picture.shape[0])
        trust = 1 / np.sqrt(around + FLAT).ravel()[places]
        trust *= steepness.ravel()[places].sum() / max(float((trust * steepness.ravel()[places]).sum()), 1e-6)
        outwards = down * y + right * x
        slopes = [down, right, down * y, down * x, right * y, right * x, -outwards * y, -outwards * x]
        count = np.float32(picture.size / every)
        return cls(picture, places, np.stack(slopes).astype(np.float32), trust.astype(np.float32), count)

    @property
    def unit(self) -> Float32[np.ndarray, "8"]:
        """Directions are counted in pixels at the upper and lower end of the picture, so that all are alike."""
        half = self.picture.shape[0] / 2
        return np.array([1, 1] + 4 * [half] + 2 * [half**2], dtype=np.float32)

    def misfit(
        self, seen: Float32[np.ndarray, "h w"], directions: int
    ) -> tuple[Float32[np.ndarray, "d d"], Float32[np.ndarray, " d"]]:
        """How the weighted, squared difference of a frame, moved back as far as is known, curves and slopes.

        In so many first directions, squared grey levels per pixel.
        """
        every = max(1, len(seen) // ROWS)
        some = slice(None, None, every), slice(None, None, every)
        gain = _median(seen[some] / np.maximum(self.picture[some], 1))
        difference = seen - gain * self.picture
        spread = np.float32(1.4826) * _median(np.abs(difference[some])) + 1
        difference = difference.ravel()[self.places]
        weight = self.trust / (1 + (difference / spread) ** 2) ** 2
        slopes = self.slopes[:directions]
        # einsum, because the rounding of a matrix product depends on the number of threads
        return np.einsum("an,bn->ab", slopes * weight, slopes), (slopes * (weight * difference)).sum(axis=1)


def _median(values: Float32[np.ndarray, "h w"]) -> np.float32:
    """The upper one of two; much quicker than NumPy's for few values."""
    return np.float32(np.partition(values, values.size // 2, axis=None)[values.size // 2])
