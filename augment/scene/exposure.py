"""How much brighter one picture of a scene is than another, per channel."""

import numpy as np
from jaxtyping import Float32, UInt8

STRIDE = 2
DARK, BRIGHT = 12, 243  # grey levels: beyond them noise or saturation rules


def exposure(frame: UInt8[np.ndarray, "h w 3"], plate: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "3"]:
    """Median ratio of frame to plate, per channel; what covers less than half of the picture does not matter.

    1 where nothing is bright enough to tell.
    """
    seen, expected = frame[::STRIDE, ::STRIDE], plate[::STRIDE, ::STRIDE]
    lit = ((expected > DARK) & (expected < BRIGHT) & (seen < BRIGHT)).all(axis=-1)
    if lit.sum() < 16:
        return np.ones(3, dtype=np.float32)
    return np.asarray(np.median(seen[lit].astype(np.float32) / expected[lit], axis=0), dtype=np.float32)
