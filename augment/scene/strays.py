"""Frames that could not be registered: blurred, glaring, or with somebody right before the lens."""

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

from augment.images import Warp, displacements

AROUND = 11  # frames; strays are fewer than half of these
APART = 0.01  # of the height, from where those around it lie
USUAL = 3.0  # times what all but a tenth of the frames do


def find_strays(warps: Float32[Warp, "t"], height: int, width: int) -> Bool[np.ndarray, " t"]:
    """Frames that seem to lie elsewhere than most of those around them, there and back, as no camera moves."""
    corners = displacements(warps, height, width).reshape(len(warps), -1)
    apart = np.abs(corners - ndimage.median_filter(corners, (AROUND, 1), mode="mirror")).max(axis=1)
    return np.asarray(apart > max(APART * height, USUAL * float(np.percentile(apart, 90))))


def between_others(warps: Float32[Warp, "t"], strays: Bool[np.ndarray, " t"]) -> Float32[Warp, "t"]:
    """With the warps of strays interpolated between those of the frames around them."""
    index, others = np.arange(len(warps)), np.flatnonzero(~strays)
    return np.stack([np.interp(index, others, column[others]) for column in warps.T], axis=1).astype(np.float32)
