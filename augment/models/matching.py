"""Where in a picture is what a reference shows: array code over a Matcher's features."""

import numpy as np
from jaxtyping import Float32

from augment.models.base import Detections


def similarity(
    features: Float32[np.ndarray, "rows columns c"], reference: Float32[np.ndarray, " c"]
) -> Float32[np.ndarray, "rows columns"]:
    """Cosine of every patch to the reference, -1..1; unit vectors, as from `Matcher.dense` and `Matcher.describe`."""
    # no matrix product: its rounding depends on the number of threads
    return np.asarray(np.einsum("yxc,c->yx", features, reference))


def best_boxes(
    features: Float32[np.ndarray, "rows columns c"],
    reference: Float32[np.ndarray, " c"],
    height: int,
    width: int,
    count: int = 5,
) -> Detections:
    """Boxes that show what the reference shows, in a picture of this size, the likeliest first; they do not overlap.

    Each is the rectangle of patches that together are farthest above what is halfway between the picture's most
    similar patch and its median; up to `count`, fewer where nothing else stands out. Their score, as for one phrase,
    is the mean cosine of their patches, 0..1.
    """
    alike = similarity(features, reference)
    surplus = alike - (alike.max() + np.median(alike)) / 2
    found: list[tuple[int, int, int, int]] = []
    scores: list[np.float32] = []
    while len(found) < count and surplus.max() > 0:
        rows, columns = _greatest_sum(surplus)
        found.append((columns.start, rows.start, columns.stop, rows.stop))
        scores.append(alike[rows, columns].mean())
        surplus[rows, columns] = -2 * surplus.size  # more than all the others make up for
    patch = np.array([width / alike.shape[1], height / alike.shape[0]] * 2)
    return Detections(
        (np.array(found).reshape(-1, 4) * patch).astype(np.float32),
        np.clip(np.array(scores, dtype=np.float32), 0, 1)[:, None],
    )


def _greatest_sum(values: Float32[np.ndarray, "rows columns"]) -> tuple[slice, slice]:
    """The rectangle with the greatest sum, as rows and columns; of several the first from the top.

    For each first row all last rows at once: in a row of column sums, the best run up to each column starts where the
    sums before it are least (Kadane).
    """
    best, where = -np.inf, (slice(0), slice(0))
    for top in range(len(values)):
        columns = np.cumsum(values[top:], axis=0, dtype=np.float64)
        sums = np.pad(np.cumsum(columns, axis=1), [(0, 0), (1, 0)])
        least = np.minimum.accumulate(sums[:, :-1], axis=1)
        gains = sums[:, 1:] - least
        bottom, right = divmod(int(gains.argmax()), gains.shape[1])
        if gains[bottom, right] > best:
            best = gains[bottom, right]
            where = slice(top, top + bottom + 1), slice(int(sums[bottom, : right + 1].argmin()), right + 1)
    return where
