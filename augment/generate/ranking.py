"""Which of several painted pictures is best: first those that are not ruled out, then by how well they fit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.images import grow, luma, pixels

BAND = 0.015  # of the height: how far on both sides a seam is looked for
BESIDE = 0.06  # of the height: what the band is compared with
GROWN = 0.01  # share of what was painted that may be taken for a robot
FLAT = 2.0  # grey levels: deviation below which nothing was painted

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, eq=False)
class Opinions:
    """What networks say of pictures; of each a number, or none where there is no such network."""

    distances: Sequence[float] = ()
    """How far from the words."""
    grown: Sequence[float] = ()
    """Share of what was painted that shows another robot, or another of the things that the task is about."""


def best_of(pictures: Sequence[Picture], keep: Bool[np.ndarray, "h w"], opinions: Opinions = Opinions()) -> Picture:
    """The first of `ranked`."""
    return pictures[ranked(pictures, keep, opinions)[0]]


def ranked(pictures: Sequence[Picture], keep: Bool[np.ndarray, "h w"], opinions: Opinions = Opinions()) -> list[int]:
    """Numbers of pictures, the best first; equals stay in their order.

    Flat ones come last, before them those in which something grew, by how much; the others by their distances from the
    words, where these are known, and then by how far the gradient across the outline of what is kept is from that
    beside it.
    """
    far, grown = (list(said) or [0.0] * len(pictures) for said in (opinions.distances, opinions.grown))
    scores = [
        (flat(picture, keep), more if more > GROWN else 0.0, distance, abs(np.log(seam(picture, keep))))
        for picture, distance, more in zip(pictures, far, grown, strict=True)
    ]
    return sorted(range(len(pictures)), key=lambda number: scores[number])


def growth(found: Bool[np.ndarray, "h w"], keep: Bool[np.ndarray, "h w"]) -> float:
    """Share of what was painted in which something is found, away from what is kept: its own outline may be off."""
    painted = ~grow(keep, pixels(BAND, len(keep)))
    return _mean(found.astype(np.float32), painted)


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
