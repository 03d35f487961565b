"""Evidence, spread over a picture as far as its edges let it."""

import numpy as np
from jaxtyping import Float32
from scipy.linalg import solveh_banded

PASSES = 2
WEAKER = 4.0  # from pass to pass


def spread(
    evidence: Float32[np.ndarray, "h w"],
    confidence: Float32[np.ndarray, "h w"],
    right: Float32[np.ndarray, "h w"],
    down: Float32[np.ndarray, "h w"],
    reach: float,
) -> Float32[np.ndarray, "h w"]:
    """Weighted least squares: close to the evidence where there is confidence, smooth where nothing stands between.

    `evidence`: any values; `confidence`: at least 0; `right`, `down`: 0 (an edge) to 1 (none) between each pixel and
    the next in its row and its column; `reach`: squared pixels over which evidence spreads where there is no edge.
    Solved alternately along rows and columns, each a tridiagonal system (Min et al. 2014, Fast Global Image Smoothing),
    for the evidence times its confidence and for the confidence alone, whose quotient is returned.
    """
    fields = np.stack([evidence * confidence, confidence])
    columns = np.ascontiguousarray(down.T)
    for number in range(PASSES):
        strength = np.float32(reach / WEAKER**number)
        fields = _along_rows(fields, strength * right)
        fields = _along_rows(fields.transpose(0, 2, 1), strength * columns).transpose(0, 2, 1)
    return np.asarray(fields[0] / np.maximum(fields[1], np.float32(1e-6)))


def _along_rows(fields: Float32[np.ndarray, "2 h w"], ties: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "2 h w"]:
    """Smooth every row; all rows are one system, in which the end of one is not tied to the start of the next."""
    ties[:, -1] = 0
    tie = ties.ravel()
    bands = np.zeros((2, tie.size), dtype=np.float32)
    bands[0, 1:] = -tie[:-1]
    bands[1] = 1 + tie
    bands[1, 1:] += tie[:-1]
    solved = solveh_banded(bands, fields.reshape(2, -1).T, overwrite_ab=True, overwrite_b=True, check_finite=False)
    return np.asarray(solved.T.reshape(fields.shape))
