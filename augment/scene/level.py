"""A plate at one size, ready for steps towards how it lies on a frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

SLOPE = 1.0  # grey levels per pixel: what is flatter says nothing about where it lies
MOST = 8000  # such pixels that are looked at, about
ROWS = 60  # of pixels, about, that tell the gain between two pictures
DOUBT = (1e-3, 1e-3, 1.0, 1.0, 1.0, 1.0)  # squared grey levels: weight against each direction of a map


@dataclass(frozen=True, eq=False)
class Level:
    """A plate's smoothed luma at one size, and where it says how it lies."""

    picture: Float32[np.ndarray, "h w"]
    places: Int[np.ndarray, " n"]
    """Pixels that are not flat, counted along the rows."""
    slopes: Float32[np.ndarray, "6 n"]
    """There: how fast the picture changes in each direction of an affine map."""
    doubt: Float32[np.ndarray, "6"]
    """What those slopes are weighed against."""

    @classmethod
    def of(cls, picture: Float32[np.ndarray, "h w"]) -> "Level":
        down, right = np.gradient(picture)
        places = np.flatnonzero(down * down + right * right > SLOPE**2)
        every = max(1, len(places) // MOST)
        places = places[::every]
        y, x = (
            (place - np.float32((size - 1) / 2)) / np.float32(picture.shape[0] / 2)
            for place, size in zip(np.unravel_index(places, picture.shape), picture.shape, strict=True)
        )
        down, right = down.ravel()[places], right.ravel()[places]
        slopes = np.stack([down, right, down * y, down * x, right * y, right * x]).astype(np.float32)
        return cls(picture, places, slopes, np.array(DOUBT, dtype=np.float32) * (picture.size / every))

    @property
    def unit(self) -> Float32[np.ndarray, "6"]:
        """Directions are counted in pixels at the upper and lower end of the picture, so that all are alike."""
        return np.array([1, 1] + 4 * [self.picture.shape[0] / 2], dtype=np.float32)

    def step(self, seen: Float32[np.ndarray, "h w"], position: Float32[np.ndarray, " d"]) -> Float32[np.ndarray, " d"]:
        """One weighted step, in pixels. `seen`: moved back by the map so far, which is at `position`.

        The map is pulled back to a mere shift.
        """
        every = max(1, len(seen) // ROWS)
        some = slice(None, None, every), slice(None, None, every)
        gain = _median(seen[some] / np.maximum(self.picture[some], 1))
        difference = seen - gain * self.picture
        spread = np.float32(1.4826) * _median(np.abs(difference[some])) + 1
        difference = difference.ravel()[self.places]
        weight = 1 / (1 + (difference / spread) ** 2) ** 2
        slopes, doubt = self.slopes[: len(position)], self.doubt[: len(position)]
        # einsum, because the rounding of a matrix product depends on the number of threads
        curvature = np.einsum("an,bn->ab", slopes * weight, slopes) + np.diag(doubt)
        slope = (slopes * (weight * difference)).sum(axis=1) + np.where(doubt > doubt[0], doubt * position, 0)
        return np.linalg.solve(curvature, -slope).astype(np.float32)


def _median(values: Float32[np.ndarray, "h w"]) -> np.float32:
    """The upper one of two; much quicker than NumPy's for few values."""
    return np.float32(np.partition(values, values.size // 2, axis=None)[values.size // 2])
