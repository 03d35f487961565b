"""How far the background of a frame has shifted against the plate, to a fraction of a pixel."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from scipy import ndimage

from augment.images import luma, resize, translate

GREATEST_HEIGHT = 240  # finer pictures add time, not accuracy
COARSEST = 24  # pixels: no pyramid level smaller than this
LEVELS = 3
ROUNDS = 6
ENOUGH = 0.02  # pixels
EDGE = 4.0  # grey levels per pixel, after smoothing
SAME = 12.0  # grey levels


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

    def shift(self, frame: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "2"]:
        """Where to move the plate to lie on the frame: Lucas-Kanade for a translation, coarse to fine.

        Pixels that disagree after the best gain and shift, which are what moves in front of the background, lose
        their weight (Geman-McClure), so that neither a large robot nor a change of exposure pulls the estimate away.
        """
        shift = np.zeros(2, dtype=np.float32)
        for number, (plate, seen) in enumerate(zip(self.levels, _pyramid(frame), strict=True)):
            size = np.float32(2 ** (len(self.levels) - 1 - number))
            slopes = [slope.astype(np.float32) for slope in np.gradient(plate)]
            for _ in range(ROUNDS):
                step = _step(plate, slopes, seen, shift / size)
                shift += np.clip(step, -2, 2) * size
                if np.abs(step).max() < ENOUGH:
                    break
        return shift * np.float32(self.scale)

    def agreement(self, registered: UInt8[np.ndarray, "h w 3"]) -> float:
        """Share of the edge pixels of a frame, moved back, where the plate looks the same; 1 without any edges."""
        seen = _pyramid(registered)[-1]
        difference = _difference(self.levels[-1], seen)
        edges = np.hypot(*np.gradient(seen)) > EDGE
        return float((np.abs(difference[edges]) < SAME).mean()) if edges.any() else 1.0


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


def _step(
    plate: Float32[np.ndarray, "h w"],
    slopes: list[np.ndarray],
    seen: Float32[np.ndarray, "h w"],
    shift: Float32[np.ndarray, "2"],
) -> Float32[np.ndarray, "2"]:
    """One weighted Gauss-Newton step of the shift."""
    difference = _difference(translate(plate, shift), seen)
    spread = 1.4826 * np.median(np.abs(difference)) + 1
    weight = 1 / (1 + (difference / spread) ** 2) ** 2
    down, right = (translate(slope, shift) for slope in slopes)
    curvature = np.array(
        [[(weight * a * b).sum() for b in (down, right)] for a in (down, right)]
    ) + 1e-3 * difference.size * np.eye(2)
    slope = np.array([(weight * direction * difference).sum() for direction in (down, right)])
    return np.linalg.solve(curvature, -slope).astype(np.float32)
