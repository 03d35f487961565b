"""Which of several things of one name is manipulated: the one that lies elsewhere after a gripper had it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from augment.segment.grounded.paths import Path

MOVED = 0.5  # of its own size, by which what was carried has moved at least


def manipulated(paths: Sequence[Path], grasps: Sequence[int]) -> Path:
    """The path that goes farthest from where it was before the first grasp; the best one where none goes anywhere."""
    if not grasps or len(paths) == 1:
        return paths[0]
    distances = [_distance(path, grasps[0]) for path in paths]
    farthest = int(np.argmax(distances))
    return paths[farthest] if distances[farthest] >= MOVED else paths[0]


def _distance(path: Path, grasp: int) -> float:
    """How far a thing gets from where it lies before `grasp`, in its own sizes; 0 if it is not seen then or later."""
    before = [_centre(box) for frame, box in path.boxes.items() if frame <= grasp and frame in path.scores]
    after = [_centre(box) for frame, box in path.boxes.items() if frame > grasp and frame in path.scores]
    if not before or not after:
        return 0.0
    size = np.median([np.sqrt(np.prod(box[2:] - box[:2])) for box in path.boxes.values()])
    home = np.median(before, axis=0)
    return float(np.median(np.sort(np.hypot(*(np.array(after) - home).T))[-5:]) / max(float(size), 1.0))


def _centre(box: np.ndarray) -> Float64[np.ndarray, "2"]:
    return np.asarray((box[:2] + box[2:]) / 2, dtype=np.float64)
