"""How different the variants of a scene are from each other."""

from collections.abc import Sequence
from itertools import combinations
from typing import TypedDict

import numpy as np
from jaxtyping import Float32, UInt8

from augment.images import luma, resize

ROWS, COLUMNS = 12, 16  # of the pictures that are compared in colour
FINE = 8  # pixels of a compared picture's pixel that its texture is measured on


class Variety(TypedDict):
    """Distances between plates: 0 for equal ones, about 100 for black and white."""

    mean: float
    least: float
    """Of the two that are most alike."""


def variety(plates: Sequence[UInt8[np.ndarray, "h w 3"]]) -> Variety | None:
    """Over all pairs of new plates of one camera; None for fewer than two.

    A distance adds up how far apart the plates are in colour (opponent colours of small copies) and in texture (mean
    gradient around each of their pixels), in percent of the range of brightness.
    """
    described = [_described(plate) for plate in plates]
    distances = [float(np.sqrt(((a - b) ** 2).sum(axis=0)).mean()) for a, b in combinations(described, 2)]
    if not distances:
        return None
    return {"mean": round(sum(distances) / len(distances), 3), "least": round(min(distances), 3)}


def _described(plate: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "4 12 16"]:
    red, green, blue = np.moveaxis(resize(plate, ROWS, COLUMNS).astype(np.float32), -1, 0)
    bright = luma(resize(plate, ROWS * FINE, COLUMNS * FINE))
    down, right = np.gradient(bright)
    gradient = (np.abs(down) + np.abs(right)).reshape(ROWS, FINE, COLUMNS, FINE).mean(axis=(1, 3))
    grey = (red + green + blue) / 3
    return np.asarray(np.stack([grey, (red - green) / 2, (grey - blue) / 2, gradient]) / 2.55, dtype=np.float32)
