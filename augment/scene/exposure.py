"""How much brighter one picture of a scene is than another, per channel."""

import numpy as np
from jaxtyping import Float32, UInt8

from augment.images import BLACK, WHITE, is_blank

ROWS = 80  # of pixels that are looked at, about
LEAST = 0.02  # so that a frame can be divided by it


def exposure(frame: UInt8[np.ndarray, "h w 3"], plate: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "3"]:
    """Median ratio of frame to plate, per channel; what covers less than half of the picture does not matter.

    1 where nothing is bright enough to tell, or the frame shows nothing.
    """
    stride = max(1, frame.shape[0] // ROWS)
    some = (slice(None, None, stride), slice(None, None, stride))
    seen, expected = (picture[some].reshape(-1, 3).T.astype(np.float32, order="C") for picture in (frame, plate))
    lit = np.flatnonzero(((expected > BLACK) & (expected < WHITE) & (seen < WHITE)).all(axis=0))
    if len(lit) < 16 or is_blank(frame):
        return np.ones(3, dtype=np.float32)
    ratio = seen.take(lit, axis=1) / expected.take(lit, axis=1)
    middle = len(lit) // 2
    return np.asarray(np.maximum(np.partition(ratio, middle, axis=1)[:, middle], np.float32(LEAST)))
