"""Belief, cleaned: no specks, no holes that should not be there."""

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

DOUBTFUL = -0.4  # belief, -1 (background) to 1: holes above it are of what surrounds them


def without_specks(belief: Float32[np.ndarray, "h w"], smallest: float) -> Float32[np.ndarray, "h w"]:
    """Pieces of less than `smallest` pixels are background."""
    pieces, count = ndimage.label(belief > 0, np.ones((3, 3)))
    small = np.bincount(pieces.ravel(), minlength=count + 1) < smallest
    small[0] = False
    return np.where(small[pieces], np.float32(-1), belief)


def without_holes(belief: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Holes stay where they show the plate beyond doubt. What reaches the edge of the picture is no hole."""
    holes, count = ndimage.label(belief <= 0)
    inside = np.bincount(holes.ravel(), (belief - DOUBTFUL).ravel(), count + 1) > 0
    inside[0] = False
    for edge in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        inside[edge] = False
    return np.where(inside[holes], np.float32(1), belief)
