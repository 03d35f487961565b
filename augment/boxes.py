"""Boxes: left, top, right, bottom in pixels, from the corner of the picture; one of whole pixels ends where the next
pixel begins."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from augment.images import bounds

BEYOND = 0.1  # of its size, by which a thing may reach beyond its box


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


def near(mask: Bool[np.ndarray, "h w"], box: Float32[np.ndarray, "4"]) -> Bool[np.ndarray, "h w"]:
    """What lies in the box or a little beyond; masks that leak do so far away."""
    beyond = BEYOND * np.tile(box[2:] - box[:2], 2) + 2
    left, top, right, bottom = np.rint(box + beyond * [-1, -1, 1, 1]).astype(int)
    kept = np.zeros_like(mask)
    here = (slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right)))
    kept[here] = mask[here]
    return kept


def box_iou(boxes: Float32[np.ndarray, "n 4"], others: Float32[np.ndarray, "m 4"]) -> Float64[np.ndarray, "n m"]:
    """Intersection over union of every pair, 0..1; 0 where both are empty."""
    first, second = boxes.astype(np.float64)[:, None], others.astype(np.float64)[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.clip(sides, 0, None).prod(axis=-1)
    union = _area(first) + _area(second) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def _area(boxes: Float64[np.ndarray, "*n 4"]) -> Float64[np.ndarray, "*n"]:
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).prod(axis=-1))
