"""Which of several things of one name is manipulated: the one that lies elsewhere after a gripper had it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from augment.segment.grounded.trails import Trail

MOVED = 0.5  # of its own size, by which what was carried has moved at least


def manipulated(trails: Sequence[Trail], grasps: Sequence[int]) -> Trail:
    """The trail that goes farthest from where it was before the first grasp; the best one where none goes anywhere."""
    if not grasps or len(trails) == 1:
        return trails[0]
    distances = [_distance(trail, grasps[0]) for trail in trails]
    farthest = int(np.argmax(distances))
    return trails[farthest] if distances[farthest] >= MOVED else trails[0]


def _distance(trail: Trail, grasp: int) -> float:
    """How far a thing gets from where it lies before `grasp`, in its own sizes; 0 if it is not seen then or later."""
    before = [_centre(box) for frame, box in trail.boxes.items() if frame <= grasp and frame in trail.scores]
    after = [_centre(box) for frame, box in trail.boxes.items() if frame > grasp and frame in trail.scores]
    if not before or not after:
        return 0.0
    size = np.median([np.sqrt(np.prod(box[2:] - box[:2])) for box in trail.boxes.values()])
    home = np.median(before, axis=0)
    return float(np.median(np.sort(np.hypot(*(np.array(after) - home).T))[-5:]) / max(float(size), 1.0))


def _centre(box: np.ndarray) -> Float64[np.ndarray, "2"]:
    return np.asarray((box[:2] + box[2:]) / 2, dtype=np.float64)
