"""Evidence, spread over a picture as far as its edges let it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32
from scipy.linalg import solveh_banded

EDGE = 4.0  # grey levels from pixel to pixel: where evidence spreads half as well
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

    `evidence`: any values, each times its confidence; `confidence`: at least 0; `right`, `down`: 0 (an edge) to
    1 (none) between each pixel and the next in its row and its column; `reach`: squared pixels over which evidence
    spreads where there is no edge. Solved alternately along rows and columns, each a tridiagonal system (Min et al.
    2014, Fast Global Image Smoothing), for evidence and confidence, whose quotient is returned.
    """
    fields = np.stack([evidence, confidence])
    columns = np.ascontiguousarray(down.T)
    for number in range(PASSES):
        strength = np.float32(reach / WEAKER**number)
        fields = _along_rows(fields, strength * right)
        fields = _along_rows(fields.transpose(0, 2, 1), strength * columns).transpose(0, 2, 1)
    return np.asarray(fields[0] / np.maximum(fields[1], np.float32(1e-6)))


def ease(pictures: Sequence[Float32[np.ndarray, "3 h w"]], axis: int) -> Float32[np.ndarray, "h w"]:
    """How well evidence passes to the next pixel along an axis, 0..1: badly over an edge that all pictures have."""
    edges = [np.abs(np.diff(planes, axis=axis)).max(axis=0) for planes in pictures]
    ease = np.ones(pictures[0].shape[1:], dtype=np.float32)
    edge = np.minimum.reduce(edges) / np.float32(EDGE)
    ease[: edge.shape[0], : edge.shape[1]] = 1 / (1 + np.square(np.square(edge)))
    return ease


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
