"""How noisy a recording is."""

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.scene.samples import Samples

STRIDE = 4
ROUNDING = 1 / 6  # squared grey levels that rounding makes, of a frame and of the plate


def measure_grain(
    samples: Samples, plate: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]
) -> Float32[np.ndarray, "3"]:
    """Standard deviation of the sensor's noise, grey levels per channel, from what samples differ from the plate by."""
    thin = (slice(None), slice(None, None, STRIDE), slice(None, None, STRIDE))
    seen = ~samples.covered[thin] & ~hole[thin[1:]]
    if not seen.any():
        return np.zeros(3, dtype=np.float32)
    difference = (
        samples.pictures[thin][seen].astype(np.float32) - np.broadcast_to(plate[thin[1:]], (*seen.shape, 3))[seen]
    )
    usual = 3 * (np.median(np.abs(difference), axis=0) + 1)
    square = np.where(np.abs(difference) <= usual, difference**2, np.nan)
    variance = np.maximum(np.nanmean(square, axis=0) - ROUNDING, 0)
    return np.asarray(np.sqrt(variance), dtype=np.float32)
