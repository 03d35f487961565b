"""Boxes: around masks, and how well scored ones find true ones. Left, top, right, bottom in pixels, from the corner of
the picture; a box of whole pixels ends where the next pixel begins."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64

from augment.images import bounds

THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
RECALLS = np.arange(101) / 100  # at which precision is read


def boxes_around(masks: Bool[np.ndarray, "n h w"]) -> Float32[np.ndarray, "n 4"]:
    """The smallest box around each mask; all 0 around an empty one."""
    boxes = np.zeros((len(masks), 4), dtype=np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        if mask.any():
            rows, columns = bounds(mask, 0)
            box[:] = columns.start, rows.start, columns.stop, rows.stop
    return boxes


def inside(boxes: Float32[np.ndarray, "n 4"], height: int, width: int) -> Bool[np.ndarray, "n h w"]:
    """The pixels whose middle lies in each box."""
    left, top, right, bottom = boxes.T[:, :, None]
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    columns, rows = (left <= x) & (x < right), (top <= y) & (y < bottom)
    return np.asarray(rows[:, :, None] & columns[:, None, :])


def box_iou(boxes: Float32[np.ndarray, "n 4"], others: Float32[np.ndarray, "m 4"]) -> Float64[np.ndarray, "n m"]:
    """Intersection over union of every pair, 0..1; 0 where both are empty."""
    first, second = boxes.astype(np.float64)[:, None], others.astype(np.float64)[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.clip(sides, 0, None).prod(axis=-1)
    union = _area(first) + _area(second) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


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


def _area(boxes: Float64[np.ndarray, "*n 4"]) -> Float64[np.ndarray, "*n"]:
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).prod(axis=-1))
