"""How noisy a recording is."""

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.scene.samples import Samples

FRAMES = 4
CALM = 50.0  # percentile of the plate's slopes up to which noise is looked for: a plate never fits exactly at its edges
NEIGHBOURS = 1.25  # variance of the difference of a pixel to the mean of its four neighbours, for a variance of 1
ROUNDING = 1 / 6  # squared grey levels that rounding makes, of a frame and of the plate


def measure_grain(
    samples: Samples, plate: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]
) -> Float32[np.ndarray, "3"]:
    """Standard deviation of the sensor's noise, grey levels per channel; 0 where nothing tells.

    From the finest detail of a few frames' differences from the plate: what is coarser than a pixel is a shadow, or a
    change of exposure.
    """
    slope = np.hypot(*np.gradient(plate.astype(np.float32).mean(axis=-1)))
    calm = (slope <= np.percentile(slope, CALM)) & ~hole
    details = [
        _detail(samples.pictures[index].astype(np.float32) - plate)[(calm & ~samples.covered[index])[1:-1, 1:-1]]
        for index in np.linspace(0, len(samples.pictures) - 1, FRAMES).astype(int)
    ]
    detail = np.concatenate(details)
    if not len(detail):
        return np.zeros(3, dtype=np.float32)
    usual = 3 * (np.median(np.abs(detail), axis=0) + 1)
    square = np.where(np.abs(detail) <= usual, detail**2, np.nan)
    variance = np.nanmean(square, axis=0) / NEIGHBOURS - ROUNDING
    return np.asarray(np.sqrt(np.maximum(variance, 0)), dtype=np.float32)


def _detail(difference: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "H W 3"]:
    beside = difference[:-2, 1:-1] + difference[2:, 1:-1] + difference[1:-1, :-2] + difference[1:-1, 2:]
    return np.asarray(difference[1:-1, 1:-1] - beside / 4)
