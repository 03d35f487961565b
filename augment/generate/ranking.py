"""Which of several painted pictures is best: first those that are not ruled out, then by how well they fit."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.images import grow, luma, pixels

BAND = 0.015  # of the height: how far on both sides a seam is looked for
BESIDE = 0.06  # of the height: what the band is compared with
FLAT = 2.0  # grey levels: deviation below which nothing was painted

Picture = UInt8[np.ndarray, "h w 3"]


def best_of(pictures: Sequence[Picture], keep: Bool[np.ndarray, "h w"], distances: Sequence[float] = ()) -> Picture:
    """The first of `ranked`."""
    return pictures[ranked(pictures, keep, distances)[0]]


def ranked(pictures: Sequence[Picture], keep: Bool[np.ndarray, "h w"], distances: Sequence[float] = ()) -> list[int]:
    """Numbers of pictures, the best first; equals stay in their order.

    Flat ones come last; the others by their distances from the words, where these are known, and then by how far the
    gradient across the outline of what is kept is from that beside it.
    """
    far = distances if len(distances) else [0.0] * len(pictures)
    scores = [
        (flat(picture, keep), distance, abs(np.log(seam(picture, keep))))
        for picture, distance in zip(pictures, far, strict=True)
    ]
    return sorted(range(len(pictures)), key=lambda number: scores[number])


def flat(picture: Picture, keep: Bool[np.ndarray, "h w"]) -> bool:
    """Whether what was painted has hardly any contrast."""
    painted = picture[~keep]
    return bool(len(painted) and painted.std(axis=0).max() < FLAT)


def seam(picture: Picture, keep: Bool[np.ndarray, "h w"]) -> float:
    """Gradient along the outline of what is kept over that a little beside it, on the painted side; 1 is none."""
    steepness = np.hypot(*np.gradient(luma(picture)))
    near, far = (grow(keep, pixels(width, len(keep))) for width in (BAND, BESIDE))
    band, beside = near & grow(~keep, pixels(BAND, len(keep))), far & ~near
    return (_mean(steepness, band) + 1) / (_mean(steepness, beside) + 1)


def _mean(values: Float32[np.ndarray, "h w"], where: Bool[np.ndarray, "h w"]) -> float:
    return float(values[where].mean()) if where.any() else 0.0
