"""How far the background of a frame has shifted against the plate, to a fraction of a pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from scipy import ndimage

from augment.images import luma, resize, warp

GREATEST_HEIGHT = 240  # finer pictures add time, not accuracy
COARSEST = 24  # pixels: no pyramid level smaller than this
LEVELS = 3
ROUNDS = 6
ENOUGH = 0.02  # pixels
SLOPE = 1.0  # grey levels per pixel: what is flatter says nothing about where it lies
PARTS = 3  # along each side, that are looked at by themselves
DETAIL = 1.5  # grey levels per pixel, on average
DOUBT = (1e-3, 1e-3, 1.0, 1.0, 1.0, 1.0)  # squared grey levels: weight against each direction of a map


@dataclass(frozen=True, eq=False)
class Registration:
    """A plate, ready to have frames registered to it."""

    scale: float
    """Pixels of the recording per pixel here."""
    levels: tuple[Float32[np.ndarray, "_ _"], ...]
    """The plate's smoothed luma, coarsest first."""

    @classmethod
    def of(cls, plate: UInt8[np.ndarray, "h w 3"]) -> "Registration":
        return cls(max(1.0, plate.shape[0] / GREATEST_HEIGHT), _pyramid(plate))

    def shift(self, frame: UInt8[np.ndarray, "h w 3"], near: Float32[np.ndarray, "6"]) -> Float32[np.ndarray, "6"]:
        """Where to move the plate to lie on the frame (see `images.warp`), as a shift: Lucas-Kanade, coarse to fine.

        Looked for around the shift of `near`.

        Pixels that disagree after the best gain and shift, which are what moves in front of the background, lose
        their weight (Geman-McClure), so that neither a large robot nor a change of exposure pulls the estimate away.
        """
        return self._in_pixels(self._shift(_pyramid(frame), near))

    def warp(self, frame: UInt8[np.ndarray, "h w 3"], near: Float32[np.ndarray, "6"]) -> Float32[np.ndarray, "6"]:
        """The same as an affine map, no further from a shift than there is evidence for."""
        pyramid = _pyramid(frame)
        return self._in_pixels(_descend(self.levels[-1], pyramid[-1], self._shift(pyramid, near), directions=6))

    def _shift(
        self, pyramid: Sequence[Float32[np.ndarray, "_ _"]], near: Float32[np.ndarray, "6"]
    ) -> Float32[np.ndarray, "6"]:
        by = np.zeros(6, dtype=np.float32)
        by[:2] = near[:2] / np.float32(self.scale * 2 ** len(self.levels))
        for plate, seen in zip(self.levels, pyramid, strict=True):
            by = _descend(plate, seen, 2 * by, directions=2)
        return by

    def _in_pixels(self, by: Float32[np.ndarray, "6"]) -> Float32[np.ndarray, "6"]:
        return np.concatenate([by[:2] * np.float32(self.scale), by[2:]])

    def offsets(self, registered: UInt8[np.ndarray, "h w 3"]) -> list[float]:
        """How far each part of a frame, moved back, still is from where the plate has it, as a fraction of the height.

        Parts without detail, of which nothing can be said, are left out.
        """
        plate, seen = self.levels[-1], _pyramid(registered)[-1]
        found = []
        for rows in np.array_split(np.arange(plate.shape[0]), PARTS):
            for columns in np.array_split(np.arange(plate.shape[1]), PARTS):
                part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
                if np.hypot(*np.gradient(plate[part])).mean() > DETAIL:
                    by = _descend(plate[part], seen[part], np.zeros(6, dtype=np.float32), directions=2)
                    found.append(float(np.hypot(*by[:2])) / plate.shape[0])
        return found


def _pyramid(picture: UInt8[np.ndarray, "h w 3"]) -> tuple[Float32[np.ndarray, "_ _"], ...]:
    height, width = picture.shape[:2]
    if height > GREATEST_HEIGHT:
        picture = resize(picture, GREATEST_HEIGHT, round(width * GREATEST_HEIGHT / height))
    levels = [ndimage.gaussian_filter(luma(picture), 1.0)]
    while len(levels) < LEVELS and min(levels[0].shape) >= 2 * COARSEST:
        levels.insert(0, ndimage.gaussian_filter(levels[0], 1.0)[::2, ::2])
    return tuple(levels)


def _difference(expected: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Seen minus expected, after the gain between them."""
    gain = np.median(seen / np.maximum(expected, 1))
    return np.asarray(seen - gain * expected)


def _descend(
    plate: Float32[np.ndarray, "h w"], seen: Float32[np.ndarray, "h w"], by: Float32[np.ndarray, "6"], directions: int
) -> Float32[np.ndarray, "6"]:
    """Gauss-Newton steps in the first two directions of an affine map, a shift, or in all six."""
    middle = plate.shape[0] / 2
    # counted in pixels at the upper and lower end of the picture, so that all directions are alike
    unit = np.array([1, 1, middle, middle, middle, middle], dtype=np.float32)[:directions]
    for _ in range(ROUNDS):
        expected = warp(plate, by)
        step = _step(expected, _difference(expected, seen), by[:directions] * unit)
        by = by + np.pad(np.clip(step, -2, 2) / unit, (0, 6 - directions))
        if np.abs(step).max() < ENOUGH:
            break
    return by


def _step(
    expected: Float32[np.ndarray, "h w"], difference: Float32[np.ndarray, "h w"], position: Float32[np.ndarray, " d"]
) -> Float32[np.ndarray, " d"]:
    """One weighted step, in pixels. `position`: of the map so far; it is pulled back to a mere shift."""
    spread = 1.4826 * np.median(np.abs(difference)) + 1
    down, right = np.gradient(expected)
    y, x = np.nonzero(down * down + right * right > SLOPE**2)
    down, right, difference = down[y, x], right[y, x], difference[y, x]
    weight = 1 / (1 + (difference / spread) ** 2) ** 2
    middle = expected.shape[0] / 2
    y, x = ((place - (size - 1) / 2) / middle for place, size in zip((y, x), expected.shape, strict=True))
    slopes = np.stack([down, right, down * y, down * x, right * y, right * x][: len(position)])
    doubt = np.array(DOUBT[: len(position)]) * expected.size
    # einsum, because the rounding of a matrix product depends on the number of threads
    curvature = np.einsum("an,bn->ab", slopes * weight, slopes) + np.diag(doubt)
    slope = (slopes * (weight * difference)).sum(axis=1) + np.where(doubt > doubt[0], doubt * position, 0)
    return np.linalg.solve(curvature, -slope).astype(np.float32)
