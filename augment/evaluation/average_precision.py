"""How well scored boxes find true ones."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32

from augment.boxes import box_iou

THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
RECALLS = np.arange(101) / 100  # at which precision is read


def average_precision(
    found: Sequence[tuple[Float32[np.ndarray, "_ 4"], Float32[np.ndarray, " _"]]],
    truth: Sequence[Float32[np.ndarray, "_ 4"]],
    threshold: float = 0.5,
) -> float:
    """AP of one class, as COCO computes it (Lin et al., ECCV 2014), 0..1.

    `found`: boxes and scores of each picture; `truth`: its true boxes. By falling score, a box is right if it overlaps
    by at least `threshold` (IoU) a true one that none before has taken, and takes the one that it overlaps most. AP is
    the mean, over recalls of 0, 0.01 ... 1, of the best precision at that recall or a higher one, 0 beyond the highest.
    Without true boxes 1 if none is found, else 0.
    """
    wanted = sum(len(boxes) for boxes in truth)
    if not wanted:
        return float(not any(len(boxes) for boxes, _ in found))
    marked = [_right(*boxes, true, threshold) for boxes, true in zip(found, truth, strict=True)]
    order = np.argsort(-np.concatenate([scores for scores, _ in marked]), kind="stable")
    right = np.cumsum(np.concatenate([hits for _, hits in marked])[order])
    precision, recall = right / np.arange(1, len(right) + 1), right / wanted
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
    return float(best[np.searchsorted(recall, RECALLS, side="left")].mean())


def mean_average_precision(
    found: Sequence[tuple[Float32[np.ndarray, "_ 4"], Float32[np.ndarray, " _"]]],
    truth: Sequence[Float32[np.ndarray, "_ 4"]],
) -> float:
    """AP[.5:.95]: mean of `average_precision` at thresholds 0.5, 0.55 ... 0.95."""
    return float(np.mean([average_precision(found, truth, threshold) for threshold in THRESHOLDS]))


def _right(
    boxes: Float32[np.ndarray, "n 4"],
    scores: Float32[np.ndarray, " n"],
    truth: Float32[np.ndarray, "m 4"],
    threshold: float,
) -> tuple[Float32[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Scores of one picture's boxes, falling, and which of the boxes are right."""
    order = np.argsort(-scores, kind="stable")
    overlap = box_iou(boxes[order], truth)
    right = np.zeros(len(boxes), dtype=np.bool_)
    for row, hit in enumerate(overlap if len(truth) else ()):
        best = int(hit.argmax())
        if hit[best] >= threshold:
            right[row], overlap[:, best] = True, -1
    return scores[order], right
